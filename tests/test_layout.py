"""The house's rules: what may import what, what each stage depends on, what starts fast, what the lock holds."""

import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from pipeline.__main__ import RENAMED
from tests import imports
from tests.command_line import COMMANDS, GROUPS, TOP, named
from tests.committed import lay_out
from tests.imports import ROOT, SOURCES, imports_of_top_level, python_files, relative
from tests.pipeline.repository import Repository

STAGES: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
LOCKS = [f"requirements{name}.lock" for name in ("", "-onnx", "-spread", "-team", "-dev")]
CALL = re.compile(r"python -m pipeline ([a-z]+(?: [a-z]+)?)")


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


def test_each_room_imports_only_what_the_map_of_the_house_lets_it() -> None:
    assert imports.beyond(imports.graph()) == []


def test_every_file_has_a_room_on_the_map_and_every_room_a_file() -> None:
    rooms = {imports.room_of(path) for path in imports.graph()}
    assert rooms == set(imports.ROOMS)


def test_on_the_map_a_room_imports_only_rooms_that_stand_above_it_and_each_is_in_use() -> None:
    above: list[str] = []
    for room, row in imports.ROOMS.items():
        entries = [] if row.entries == ("all above",) else row.entries
        assert [entry for entry in entries if not any(imports.is_within(entry, other) for other in above)] == [], room
        named = {
            imports.name_of(whom)
            for who in imports.graph()
            if imports.room_of(who) == room
            for whom in imports.graph()[who]
        }
        assert [entry for entry in entries if not any(imports.is_within(name, entry) for name in named)] == [], room
        above += room.split(", ")


def test_no_files_import_each_other_in_a_circle() -> None:
    assert imports.circle(imports.graph()) == []


def test_a_circle_is_found_be_it_lazy_or_of_three() -> None:
    a, b, c, d = (Path(name) for name in "abcd")
    assert imports.circle({a: {b, c}, b: {c}, c: set(), d: {a}}) == []
    assert imports.circle({d: {a}, a: {b}, b: {c}, c: {a}}) == [a, b, c, a]


def test_an_import_that_the_map_does_not_list_is_named_with_its_files() -> None:
    nn, drawing = (SOURCES["mnistgan"] / path for path in ("nn/layers.py", "drawing/grids.py"))
    assert imports.beyond({nn: {drawing}}) == ["src/mnistgan/nn/layers.py imports src/mnistgan/drawing/grids.py"]


def test_no_two_files_of_tests_share_a_name() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(name for name in names if names.count(name) > 1) == []  # pytest imports each by its name alone


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


def test_no_more_than_eighteen_commands_are_at_the_top_and_the_rest_in_groups_by_folder() -> None:
    folders = sorted(path.parent.name for path in (SOURCES["pipeline"] / "commands").glob("*/__init__.py"))
    assert len(TOP) <= 18
    assert list(TOP)[:4] == list(STAGES)
    assert sorted(GROUPS) == folders
    assert all(TOP[name].help for name in GROUPS)


def test_every_command_that_code_names_is_there_and_so_is_what_a_former_name_leads_to() -> None:
    sources = [ROOT / "Makefile", *(path for folder in SOURCES.values() for path in python_files(folder))]
    calls = {call for path in sources for call in re.findall(CALL, path.read_text("utf-8"))}
    assert len(calls) > 10
    assert {named(call.split()) for call in [*calls, *RENAMED.values()]} <= {*COMMANDS, *GROUPS}
    assert RENAMED.keys().isdisjoint(TOP)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_explains_itself_and_each_of_its_options(command: str) -> None:
    assert COMMANDS[command].help
    shown = [parameter for parameter in COMMANDS[command].params if not getattr(parameter, "hidden", False)]
    unexplained = [parameter.name for parameter in shown if not getattr(parameter, "help", None)]
    assert not unexplained


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_hashes_and_neither_an_address_nor_a_local_path(name: str) -> None:
    lock = (ROOT / name).read_text("utf-8")
    assert "://" not in lock
    assert not re.search(r"(?:^|\s)/\w|^-|file:|\s@\s", lock, re.MULTILINE)
    requirements = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    unhashed = [text.split()[0] for text in requirements if "--hash=sha256:" not in text]
    assert requirements
    assert not unhashed


def test_what_runs_imports_no_development_tool() -> None:
    locks = [(ROOT / name).read_text("utf-8") for name in LOCKS[:-1]]
    held = {name for lock in locks for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
    files = [path for source in SOURCES.values() for path in python_files(source)]
    imported = set().union(*map(imports_of_top_level, files)) - sys.stdlib_module_names - set(SOURCES)
    brought_by = packages_distributions()
    assert "tensorflow" in imported
    assert {name for name in imported if held.isdisjoint(map(canonicalize_name, brought_by.get(name, [])))} == set()


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
