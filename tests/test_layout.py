"""The house's rules: what may import what, what each stage depends on, what starts fast, what the lock holds."""

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from pipeline.__main__ import app
from tests.committed import lay_out
from tests.pipeline.repository import Repository

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {"mnistgan": ROOT / "src" / "mnistgan", "pipeline": ROOT / "pipeline"}

STAGES: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def runs_only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every node under ``node``, those that only a type checker sees left out."""
    for child in ast.iter_child_nodes(node):
        if not runs_only_for_types(child):
            yield child
            yield from statements(child)


@cache
def imported(path: Path) -> set[str]:
    """The dotted names that a file imports, wherever in it: ``from a import b`` gives both a and a.b."""
    package = relative(path).removeprefix("src/").removesuffix(".py").split("/")[:-1]
    names: set[str] = set()
    for node in statements(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def files_of(name: str) -> set[Path]:
    """Our files that importing ``name`` runs: the module and each package above it; none for a foreign name."""
    first, *rest = name.split(".")
    if first not in SOURCES:
        return set()
    found = {SOURCES[first] / "__init__.py"}
    for depth in range(1, len(rest) + 1):
        place = SOURCES[first].joinpath(*rest[:depth])
        found |= {place / "__init__.py", place.with_suffix(".py")}
    return {path for path in found if path.is_file()}


@cache
def own_imports(path: Path) -> set[Path]:
    return {file for name in imported(path) for file in files_of(name)}


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports_of_top_level(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def test_the_stages_are_prepare_train_evaluate_and_render() -> None:
    assert list(STAGES) == ["prepare", "train", "evaluate", "render"]


@pytest.mark.parametrize("stage", STAGES)
def test_dvc_yaml_calls_a_stage_by_options_that_it_has(stage: str) -> None:
    execute, python, module, pipeline, command, *words = shlex.split(STAGES[stage]["cmd"])
    assert [execute, python, module, pipeline, command] == ["exec", "python", "-m", "pipeline", stage]
    options = {option: parameter for parameter in COMMANDS[stage].params for option in parameter.opts}
    given = [word for word in words if word.startswith("--")]
    assert set(given) <= set(options)
    required = {option for option, parameter in options.items() if parameter.required}
    assert required <= set(given)


def test_the_science_imports_none_of_the_tools() -> None:
    tools = {"mlflow", "dvc", "typer", "pipeline"}
    crossing = {relative(path): imports_of_top_level(path) & tools for path in python_files(SOURCES["mnistgan"])}
    assert {path: names for path, names in crossing.items() if names} == {}


def test_the_science_never_reads_the_environment() -> None:
    reading = re.compile(r"\bos\.(environ|getenv)\b|\bfrom os import .*\b(environ|getenv)\b")
    assert [relative(p) for p in python_files(SOURCES["mnistgan"]) if reading.search(p.read_text("utf-8"))] == []


def test_only_tracking_imports_mlflow() -> None:
    found = [relative(path) for path in python_files(SOURCES["pipeline"]) if "mlflow" in imports_of_top_level(path)]
    assert found
    assert not [path for path in found if not path.startswith("pipeline/tracking/")]


def test_help_loads_no_heavy_library() -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline", "--help"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in run.stderr.splitlines()}
    heavy = {"tensorflow", "keras", "mlflow", "dvc", "pydantic", "numpy", "pandas", "matplotlib", "PIL", "scipy"}
    assert "typer" in loaded
    assert loaded & heavy == set()
    assert set(STAGES) <= set(run.stdout.split())
    assert "..." not in run.stdout.partition("Commands:")[2], (
        "a command's line is cut off: let its docstring begin with a shorter sentence"
    )


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_explains_itself_and_each_of_its_options(command: str) -> None:
    assert COMMANDS[command].help
    shown = [parameter for parameter in COMMANDS[command].params if not getattr(parameter, "hidden", False)]
    unexplained = [parameter.name for parameter in shown if not getattr(parameter, "help", None)]
    assert not unexplained


def test_the_lock_holds_hashes_and_neither_an_address_nor_a_local_path() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in lock
    assert not re.search(r"(?:^|\s)/\w|^-|file:|\s@\s", lock, re.MULTILINE)
    requirements = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    unhashed = [text.split()[0] for text in requirements if "--hash=sha256:" not in text]
    assert requirements
    assert not unhashed


def test_a_clone_that_asks_for_the_line_ends_of_windows_has_every_byte_as_committed(tmp_path: Path) -> None:
    made, clone = Repository(tmp_path / "made"), Repository(tmp_path / "clone")
    lay_out(made.root, ".")
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit()
    windows = ("--config", "core.autocrlf=true", "--config", "core.eol=crlf")
    made.git("clone", "--quiet", *windows, str(made.root), str(clone.root))
    lines = clone.git("ls-files", "--stage").splitlines()
    modes, committed, _, paths = zip(*(re.split(r"\s", line, maxsplit=3) for line in lines), strict=True)
    found = clone.git("hash-object", "--no-filters", "--", *paths).splitlines()
    assert [path for path, was, now in zip(paths, committed, found, strict=True) if was != now] == []
    assert "100755" in modes
