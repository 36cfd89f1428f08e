"""What each stage depends on: the code that it runs, of one family, and hardly more; what is exempt, and why."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mnistgan import families

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {"mnistgan": ROOT / "src" / "mnistgan", "pipeline": ROOT / "pipeline"}
STAGES: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
FEW = 5
"""Files over that a stage may depend on for the sake of a short list."""
LOOKUP = "src/mnistgan/families/__init__.py"
"""Where a family is found by its name: from here the code goes on in the family's own folder."""

EXEMPT = {
    "pipeline/__init__.py": "knows the folder that it lies in",
    "pipeline/__main__.py": "calls a command, and turns an error into words and an exit code",
    "pipeline/stage.py": "checks params.yaml, then has the work watched",
    "pipeline/console.py": "speaks to a person",
    "pipeline/places.py": "tries whether a place can be written to",
    "pipeline/environment.py": "settles where relative paths lead",
    "pipeline/dvcfiles": "reads what DVC wrote, to name a state",
    "pipeline/runs": "keeps the journal, and says where the checkpoints of a state lie",
    "pipeline/tracking": "shows files in MLflow, from a process of its own",
    "pipeline/engines": "has experiments run, each by these same stages",
    "src/mnistgan/errors.py": "what is raised ends the stage, which then has no outs",
    "src/mnistgan/params.py": "DVC compares the values of params.yaml themselves",
    "src/mnistgan/progress.py": "counts for a person",
    "src/mnistgan/reading.py": "gives what a file holds as it is, or refuses it",
    "src/mnistgan/schema.py": "the same",
}
"""What a stage runs and does not depend on, a file or a folder, and why a change there alters no out."""

TAKEN = {
    "pipeline.console": "speaks; progress() counts",
    "pipeline.dvcfiles.dvc_yaml.options": "whether paths are dvc.yaml's; names a checkpoints' folder",
    "pipeline.places.Out": "marks an option",
    "pipeline.places.demand": "tries the places of the outs",
    "pipeline.places.tried": "the same",
    "pipeline.runs.checkpoints": "a folder outside the outs",
    "pipeline.runs.journal.note": "keeps what no out may hold",
    "pipeline.stage.PARAMS": "a name in a message",
    "pipeline.stage.Verbose": "an option that is of what is printed",
    "pipeline.stage.naming": "words an error",
    "pipeline.stage.running": "gives the params as params.yaml has them",
    "mnistgan.errors": "is raised",
    "mnistgan.params": "types of the params, and their values",
    "mnistgan.progress": "counts",
    "mnistgan.schema.Section": "what recipes and data sets are read by",
    "mnistgan.schema.checked": "gives what a file holds, or refuses it",
    "mnistgan.schema.listed": "words an error",
    "mnistgan.reading": "gives what a file holds, or refuses it; names params, which are kept beside checkpoints",
}
"""All that the code of stages takes of exempt files, a module or one name of it, and why no out holds any of it."""

SETS_OPTIONS_ELSEWHERE = {
    "pipeline/tracking/observing.py": "of the process that publishes, which computes nothing",
    "pipeline/tracking/served.py": "of a registered model, wherever it is loaded",
}
LIBRARIES = ("tensorflow", "keras")
VARIABLE = re.compile(r"(TF(?!_CPP)|KERAS|CUDA|ONEDNN|DNNL|XLA|OMP|MKL|NPY|OPENBLAS|GLIBC)_")  # TF_CPP_: of logs


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_exempt(path: str) -> bool:
    return any(is_within(path, exempt) for exempt in EXEMPT)


def is_within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every node under ``node``, those that only a type checker sees left out."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}):
            yield child
            yield from statements(child)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def bound(tree: ast.AST) -> dict[str, str]:
    """What a file imports, wherever in it: the dotted name by the name that it has there."""
    found = {}
    for node in statements(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files_of(name: str) -> list[Path]:
    """Our files that importing ``name`` runs: the module and each package above it; none for a foreign name."""
    first, *rest = name.split(".")
    if first not in SOURCES:
        return []
    places = [SOURCES[first].joinpath(*rest[:depth]) for depth in range(len(rest) + 1)]
    return [file for place in places for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()]


def decides_nothing(path: Path) -> bool:
    """Whether a file holds no more than its docstring, as most packages' do."""
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in tree_of(path).body)


def python_files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


@cache
def closure(stage: str, family: str) -> frozenset[str]:
    """Every file of ours that a stage runs for a family, exempt ones met but not looked into."""
    seen: set[Path] = set()
    waiting = [ROOT / "pipeline" / "commands" / f"{stage}.py"]
    while waiting:
        path = waiting.pop()
        if path in seen or is_exempt(relative(path)) or decides_nothing(path):
            continue
        seen.add(path)
        waiting += [file for name in bound(tree_of(path)).values() for file in files_of(name)]
        if relative(path) == LOOKUP:
            waiting += python_files(SOURCES["mnistgan"] / "families" / family)
    return frozenset(map(relative, seen))


def code_deps(stage: str, family: str) -> list[str]:
    deps = [dep.replace("${train.family}", family) for dep in STAGES[stage]["deps"]]
    return [dep for dep in deps if is_within(dep, "src") or is_within(dep, "pipeline")]


def depended_on(stage: str, family: str) -> set[str]:
    files = {file for dep in code_deps(stage, family) for file in python_files(ROOT / dep)}
    return {relative(file) for file in files if not decides_nothing(file)}


def taken(tree: ast.AST) -> set[str]:
    """The dotted names that a file uses of what it imports of ours, as ``pipeline.console.say``."""
    names = bound(tree)
    chains = {ast.unparse(node) for node in statements(tree) if isinstance(node, ast.Attribute)}
    split = [(chain.partition(".")) for chain in chains]
    return {f"{names[first]}.{rest}" for first, _, rest in split if first in names} | set(names.values())


def taken_of_exempt(tree: ast.AST) -> set[str]:
    """Those of :func:`taken` that lie in exempt files, modules themselves left out."""
    ours = {name: files[-1] for name in taken(tree) if (files := files_of(name))}
    return {name for name, file in ours.items() if is_exempt(relative(file)) and not _is_module(name)}


def _is_module(name: str) -> bool:
    first, *rest = name.split(".")
    place = SOURCES[first].joinpath(*rest)
    return place.is_dir() or place.with_suffix(".py").is_file()


def options_set(tree: ast.AST) -> set[str]:
    """By what a file could set how numbers are computed: a library that it imports, a variable that it names."""
    imported = {name for name in bound(tree).values() if name.split(".")[0] in LIBRARIES}
    strings = {str(node.value) for node in statements(tree) if isinstance(node, ast.Constant)}
    return imported | {name for name in strings if VARIABLE.match(name)}


each_stage = pytest.mark.parametrize("stage", STAGES)
each_family = pytest.mark.parametrize("family", families.names())


@each_stage
@each_family
def test_a_stage_depends_on_all_the_code_that_it_runs(stage: str, family: str) -> None:
    missing = closure(stage, family) - depended_on(stage, family)
    assert not missing, f"not in the deps of {stage}: {sorted(missing)}"


@each_stage
@each_family
def test_a_stage_depends_on_hardly_any_code_that_it_does_not_run(stage: str, family: str) -> None:
    idle = depended_on(stage, family) - closure(stage, family)
    assert len(idle) <= FEW, f"{stage} never imports {sorted(idle)}, and a change there would run it again"


@each_stage
def test_each_dep_of_a_stage_is_there_and_run_for_some_family(stage: str) -> None:
    for name in {dep for family in families.names() for dep in code_deps(stage, family)}:
        run = {path for family in families.names() for path in closure(stage, family)}
        assert any(is_within(path, name) for path in run), name


@each_family
def test_training_depends_on_no_other_family_and_on_no_table_of_metrics(family: str) -> None:
    others = [f"src/mnistgan/families/{name}" for name in families.names() if name != family]
    for place in (*others, "src/mnistgan/metrics/catalog.py", "src/mnistgan/evaluation", "src/mnistgan/comparison"):
        assert not [path for path in depended_on("train", family) if is_within(path, place)], place


@each_family
def test_what_sets_tensorflow_up_is_a_dep_of_every_stage_that_computes(family: str) -> None:
    assert all("pipeline/runtime.py" in depended_on(stage, family) for stage in ("train", "evaluate", "render"))


def test_code_is_looked_up_by_name_for_families_alone() -> None:
    run = {path for stage in STAGES for family in families.names() for path in closure(stage, family)}
    assert [path for path in sorted(run) if "importlib" in bound(tree_of(ROOT / path))] == [LOOKUP]


def test_all_that_is_exempt_is_there() -> None:
    assert [path for path in EXEMPT if not (ROOT / path).exists()] == []


def exempt_files() -> list[Path]:
    return [file for place in EXEMPT for file in python_files(ROOT / place)]


@pytest.mark.parametrize("path", exempt_files(), ids=relative)
def test_no_exempt_file_sets_how_numbers_are_computed(path: Path) -> None:
    assert bool(options_set(tree_of(path))) == (relative(path) in SETS_OPTIONS_ELSEWHERE), options_set(tree_of(path))


@pytest.mark.parametrize(
    "code",
    [
        "import tensorflow as tf\ntf.config.experimental.enable_op_determinism()",
        "def later():\n    from keras import config",
        "import os\nos.environ['CUDA_VISIBLE_DEVICES'] = '-1'",
        "SET = {'TF_ENABLE_ONEDNN_OPTS': '0'}\nos.environ.update(SET)",
    ],
)
def test_that_is_seen_where_it_is_done(code: str) -> None:
    assert options_set(ast.parse(code))


def covered(name: str, allowed: Mapping[str, str] = TAKEN) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in allowed)


@each_stage
@each_family
def test_what_a_stage_takes_of_exempt_files_is_known_to_reach_no_out(stage: str, family: str) -> None:
    found = {name for path in closure(stage, family) for name in taken_of_exempt(tree_of(ROOT / path))}
    assert [name for name in sorted(found) if not covered(name)] == []


def test_nothing_is_allowed_that_no_stage_takes() -> None:
    run = {path for stage in STAGES for family in families.names() for path in closure(stage, family)}
    found = {name for path in run for name in taken_of_exempt(tree_of(ROOT / path))}
    assert [known for known in TAKEN if not any(covered(name, {known: ""}) for name in found)] == []


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from pipeline.runs import machine\nfiles.write_json(p, machine.clone(root))", "machine.clone"),
        ("from pipeline.dvcfiles.state import read_lock\nfiles.write_bytes(p, read_lock())", "state.read_lock"),
        ("def late():\n    from pipeline.runs.journal import events\n    return events", "journal.events"),
    ],
)
def test_a_value_of_an_exempt_file_is_seen_where_it_is_taken(code: str, name: str) -> None:
    (found,) = (name for name in taken_of_exempt(ast.parse(code)) if not covered(name))
    assert found.endswith(name)
