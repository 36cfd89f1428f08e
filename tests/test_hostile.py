"""What a file, a package or a params value can never do: be run, become a shell's word, or name a place to write to."""

import ast
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from mnistgan.datasets.fetching import raw, sources
from mnistgan.errors import MnistganError, ParamsError
from mnistgan.params import Sections, parse
from mnistgan.rulers.cards import RULERS
from tests import committed
from tests.specs import FILES

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for folder in ("src", "pipeline", "scripts") for path in (ROOT / folder).rglob("*.py"))
PARAMS, RECIPES = committed.params(), committed.recipes()["dcgan"]
STAGES: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]

# What makes code of bytes, or unpacks an archive to wherever its members say.
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES = {
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("pd.read_pickle", "pd.eval", "shutil.unpack_archive", "keras.models.load_model", "keras.saving.load_model"),
}
METHODS = {"extract", "extractall", "read_pickle", "load_model", "enable_unsafe_deserialization"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call, with the dotted name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keywords(call: ast.Call) -> dict[str | None, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}


def dangers(path: Path) -> Iterator[str]:
    """What a source file does that could run what it reads, each as a line of its own."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from (f"imports {name}" for name in names if name.split(".")[0] in MODULES)
    for name, call in calls(tree):
        given = keywords(call)
        if name in BUILTINS | ATTRIBUTES or name.rpartition(".")[2] in METHODS:
            yield f"calls {name}"
        if name in {"np.load", "np.save", "np.savez", "np.savez_compressed"} and given.get("allow_pickle") != "False":
            yield f"calls {name} without allow_pickle=False"
        if "shell" in given and given["shell"] != "False":
            yield f"gives {name} a shell"
        if name == "YAML" and given.get("typ") not in {"'safe'", None}:
            yield f"reads YAML of type {given['typ']}"


def test_no_source_can_run_what_it_reads() -> None:
    found = {path.relative_to(ROOT).as_posix(): list(dangers(path)) for path in SOURCES}
    assert len(found) > 50
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        *("import pickle", "from joblib import load", "import yaml", "eval(text)", "os.system(text)"),
        *("np.load(path)", "np.load(path, allow_pickle=True)", "np.savez(path, a=a)", "tar.extractall(place)"),
        *("subprocess.run(words, shell=True)", "YAML(typ='unsafe')", "subprocess.run(text, shell=given)"),
    ],
)
def test_the_look_through_the_sources_sees_each_danger(line: str, tmp_path: Path) -> None:
    (tmp_path / "it.py").write_text(line)
    assert list(dangers(tmp_path / "it.py"))


OF_RULERS = [
    f"pretrained/${{data.name}}{name}" for name in ("", *(f"/{n}.{e}" for n in RULERS for e in ("json", "npz")))
]
OF_PARAMS = {
    *("src/mnistgan/families/${train.family}", "datasets/${data.name}", "datasets/${data.name}/dataset.yaml"),
    *OF_RULERS,
}
"""The deps that have a params value in them: a family and a data set are one of those there are."""


@pytest.mark.parametrize("stage", STAGES)
def test_no_params_value_stands_on_a_stages_command_line(stage: str) -> None:
    assert "$" not in STAGES[stage]["cmd"]
    assert not set("`;&|<>*?(){}\\\"'") & set(STAGES[stage]["cmd"])
    named = [*STAGES[stage].get("deps", []), *STAGES[stage].get("outs", [])]
    named = [path for path in named if path not in OF_PARAMS]
    assert not [path for path in named if "$" in str(path) or Path(str(path)).is_absolute() or ".." in str(path)]


@pytest.mark.parametrize("stage", STAGES)
def test_every_place_that_a_stage_is_given_lies_in_the_repository(stage: str) -> None:
    paths = [Path(word) for word in shlex.split(STAGES[stage]["cmd"])[5:] if not word.startswith("--")]
    assert paths
    assert not [path for path in paths if path.is_absolute() or ".." in path.parts]


def words(annotation: Any, name: str) -> Iterator[str]:
    """The params that take text of any kind, by their dotted names; fixed choices are none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for key, field in annotation.model_fields.items():
            yield from words(field.annotation, f"{name}.{key}" if name else key)
    elif annotation is str:
        yield name
    elif get_origin(annotation) not in (None, Literal):
        for inner in get_args(annotation):
            yield from words(inner, name)


def test_the_only_text_in_params_is_sources_and_recipes_names() -> None:
    assert sorted(set(words(Sections, ""))) == ["data.name", "prepare.sources", "train.family", "train.recipe"]


EVIL = ["x; touch owned", "$(touch owned)", "`touch owned`", "x && touch owned", "${train.seed}", "../x", "a.b", "x\ny"]


@pytest.mark.parametrize("name", [*EVIL, "", " ", "x" * 101, "-é"])
def test_a_recipe_with_a_name_that_a_shell_or_dvc_could_take_for_more_is_refused(name: str) -> None:
    quoted = '"' + "".join(f"\\U{ord(letter):08x}" for letter in name) + '"'
    text, recipes = PARAMS.replace("recipe: fast", f"recipe: {quoted}"), RECIPES.replace("fast:", f"{quoted}:")
    with pytest.raises(ParamsError, match="should be a name of letters, digits, _ and -"):
        parse(text, {"dcgan": recipes}, committed.datasets(), "params.yaml")


@pytest.mark.parametrize("name", [*EVIL, "", ".", "/", "dcgan/../dcgan"])
def test_a_family_that_is_none_of_those_there_are_is_refused(name: str) -> None:
    quoted = '"' + "".join(f"\\U{ord(letter):08x}" for letter in name) + '"'
    with pytest.raises(ParamsError, match=r"train\.family: got .*; should be one of: "):
        parse(
            PARAMS.replace("family: dcgan", f"family: {quoted}"),
            {"dcgan": RECIPES},
            committed.datasets(),
            "params.yaml",
        )


def test_what_stands_in_params_is_never_run_by_dvc_and_its_shell(tmp_path: Path) -> None:
    name = "x; touch owned; $(touch owned) `touch owned`"
    for copied in ("pipeline", "src"):
        shutil.copytree(ROOT / copied, tmp_path / copied, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    text, recipes = PARAMS.replace("recipe: fast", f'recipe: "{name}"'), RECIPES.replace("fast:", f'"{name}":')
    committed.lay_out_params(tmp_path, text, dcgan=recipes)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "prepare"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{tmp_path / 'src'}",
            "MNISTGAN_TRACKING": "off",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert f"recipes/dcgan.yaml: {name}: got" in done.stderr
    assert list(tmp_path.rglob("owned")) == []


@pytest.mark.parametrize(
    "source", ["folder:$(touch owned)", "folder:`touch owned`; touch owned", "npm:$(touch owned)@1.0.0"]
)
def test_a_source_is_never_run(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MnistganError, match="no source gave"):
        sources.fetch(FILES, [source], tmp_path / "cache")
    assert list(tmp_path.iterdir()) == []


def test_a_source_may_be_any_folder_since_it_is_only_read_and_only_mnist_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person names it in their own params.yaml, as they would in `cp`; the digests decide what is taken."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "secret").write_text("password: hunter2")
    (outside / raw.TRAIN_IMAGES).symlink_to(tmp_path / "secret")
    (tmp_path / "repository").mkdir()
    monkeypatch.chdir(tmp_path / "repository")
    for source in (f"folder:{outside}", "folder:../outside"):
        with pytest.raises(MnistganError, match="not the pinned file") as refused:
            sources.fetch(FILES, [source], Path("cache"))
        assert "hunter2" not in str(refused.value)
    assert list(Path().iterdir()) == []
    assert sorted(path.name for path in outside.iterdir()) == [raw.TRAIN_IMAGES]
