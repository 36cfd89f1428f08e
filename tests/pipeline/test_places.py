"""Every place that a command writes to is tried before the work: here no command finds anything to work on."""

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from mnistgan.errors import UsageError
from pipeline import ROOT
from pipeline.__main__ import app, main
from pipeline.dvcfiles import dvc_yaml
from pipeline.places import Out, demand

Command = Callable[..., None]

MARKED: dict[str, dict[str, Out]] = {
    info.callback.__name__: {
        name: mark
        for name, hint in get_type_hints(info.callback, include_extras=True).items()
        for mark in get_args(hint)
        if isinstance(mark, Out)
    }
    for info in app.registered_commands
    if info.callback
}
OUTS = {name: outs for name, outs in MARKED.items() if outs} | {
    "generate": {"out": Out(".npy")},
    "seeds train": {"out": Out(".csv")},
}
DECLARED = dvc_yaml.declared(ROOT)
BY_HAND = {"generate": {"weights": ROOT / "pretrained" / "mnist" / "classifier.npz", "out": "samples.npy"}}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with params and pipeline alone, the current folder."""
    (tmp_path / ".dvc").mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("recipes", "datasets"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MNISTGAN_TRACKING", "off")
    return tmp_path


@pytest.fixture
def refusal(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command with some of its places named anew; its error, once nothing was found to have changed."""

    def run(command: str, **changed: Path | str) -> str:
        places = dvc_yaml.options(command) if command in DECLARED else BY_HAND.get(command, {})
        words = [word for name, path in {**places, **changed}.items() for word in (f"--{name}", str(path))]
        monkeypatch.setattr(sys, "argv", ["python -m pipeline", *command.split(), *words])
        before = sorted(here.rglob("*"))
        with pytest.raises(SystemExit) as raised:
            main()
        said = capsys.readouterr()
        assert (raised.value.code, said.out) == (2, "")
        assert "Traceback" not in said.err
        assert sorted(here.rglob("*")) == before
        return said.err

    return run


def test_every_out_of_a_stage_is_an_option_whose_place_is_tried() -> None:
    for stage, declared in DECLARED.items():
        options = dvc_yaml.options(stage, ROOT)
        assert {options[name] for name in MARKED[stage]} == set(map(Path, declared.outs))


@pytest.mark.parametrize("command", OUTS)
def test_a_place_that_can_not_be_written_is_refused_before_the_work(refusal: Callable[..., str], command: str) -> None:
    names = {option: f"{option}{'' if out.folder else out.ending}" for option, out in OUTS[command].items()}
    Path("file").touch()
    Path("nowhere").symlink_to("unmounted/disk")
    Path("loop").symlink_to("loop")
    bad = {
        "file": "file is a file; should be a folder",
        "nowhere/new": "nowhere is a link to unmounted/disk, where nothing is; should be a folder",
        "loop": "loop is a link to loop, where nothing is",
        f"new/{'n' * 300}": "File name too long",
        "/proc": "No such file or directory, in /proc",  # where root may not write either
    }
    for folder, why in bad.items():
        places = {option: f"{folder}/{name}" for option, name in names.items()}
        told = refusal(command, **places)
        if command == "generate":  # whose --out tells first what it is to write
            assert why.partition(", in")[0] in told
        else:
            assert [f"--{option} {place}: {why}" in told for option, place in places.items()] == [True] * len(places)
    for prefix in ("n" * 300, "new/" * 1200):
        places = {option: f"{prefix}{name}" for option, name in names.items()}
        assert refusal(command, **places).count("File name too long") == len(names)


@pytest.mark.parametrize("command", OUTS)
def test_what_is_there_and_no_earlier_result_is_refused(refusal: Callable[..., str], command: str) -> None:
    outs = OUTS[command]
    links = {option: Path(f"link-{option}{out.ending}") for option, out in outs.items()}
    others = {option: Path(f"{option}{out.ending}") for option, out in outs.items()}
    for option, out in outs.items():
        links[option].symlink_to("unmounted")
        others[option].touch() if out.folder else others[option].mkdir()
    Path("README.txt").write_text("kept")
    assert refusal(command, **links).count("is a link to unmounted, where nothing is; should be a") == len(outs)
    if command != "generate":  # which fills an empty folder, whatever its name
        told = refusal(command, **others)
        assert [f"--{option} {place}: is a f" in told for option, place in others.items()] == [True] * len(outs)
    told = refusal(command, **dict.fromkeys(outs, "README.txt"))
    assert [f"--{option} README.txt: " in told for option in outs] == [True] * len(outs)


def test_a_disk_without_room_is_told_before_the_work_and_nothing_is_left_there(here: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # no file may grow
    try:
        with pytest.raises(UsageError, match=r"--metrics new/figures\.json: File too large, in \."):
            demand({"metrics": (Path("new/figures.json"), Out(".json"))}, stage="evaluate")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(path.name for path in here.iterdir()) == [".dvc", "datasets", "dvc.yaml", "params.yaml", "recipes"]


def test_all_that_are_bad_are_named_at_once(refusal: Callable[..., str], here: Path) -> None:
    Path("checkpoints").symlink_to("unmounted")
    Path("README.md").touch()
    said = refusal("train", final="models", grids="README.md", looks="/dev/null")
    assert said == (
        "error: can't write there: "
        f"{here}/checkpoints: is a link to unmounted, where nothing is; should be a folder\n"
        "  --final models: should end in .npz\n"
        "  --grids README.md: is a file; should be a folder\n"
        "  --looks /dev/null: should end in .csv\n"
    )


def test_a_folder_that_is_replaced_as_one_may_hold_nothing_else(refusal: Callable[..., str]) -> None:
    Path("mine").mkdir()
    Path("mine", "notes.txt").touch()
    assert "--parts mine: holds notes.txt, which no earlier call wrote" in refusal("train", parts="mine")


@pytest.mark.parametrize(
    ("command", "changed", "why"),
    [
        ("prepare", {"test": "data/train.npz"}, "--test data/train.npz: is --train's too"),
        ("train", {"best": "models/../models/final.npz"}, "is --final's too"),
        ("evaluate", {"metrics": "both.json", "test": "./both.json"}, "--metrics both.json: is read, as --test"),
        ("render", {"samples": "a.png", "progress": "a.png"}, "--progress a.png: is --samples's too"),
        ("render", {"samples": "pictures/samples.png"}, "lies in --pictures, whose files may have that name"),
        ("evaluate", {"metrics": "metrics/machine.json"}, "belongs to metrics/machine.json, which another option"),
        ("evaluate", {"classes": "metrics/seeds.csv"}, "belongs to metrics/seeds.csv, which another option"),
        ("generate", {"out": "pictures/mine.png"}, "belongs to pictures, which another option or command writes"),
    ],
)
def test_a_place_of_two_or_of_another_command_is_refused(
    refusal: Callable[..., str], command: str, changed: dict[str, str], why: str
) -> None:
    assert why in refusal(command, **changed)


def test_what_git_tracks_is_refused_unless_it_is_an_earlier_result_of_the_same_option(
    refusal: Callable[..., str], here: Path
) -> None:
    for path in ("metrics/evaluation.json", "mine/notes.json", "docs/picture.png"):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text("kept")
    subprocess.run(["git", "init", "--quiet"], check=True)
    subprocess.run(["git", "add", "--all"], check=True)
    tracked = "is tracked by git; name another place, or remove it first"
    assert f"--metrics mine/notes.json: {tracked}" in refusal("evaluate", metrics="mine/notes.json")
    assert f"--grids docs: {tracked}" in refusal("train", grids="docs")
    assert "data/train.npz: no such file" in refusal("evaluate")
    Path("metrics/evaluation.json").unlink()
    Path("metrics/evaluation.json").symlink_to("../.git/HEAD")  # as DVC links to its cache
    Path("metrics/classes.csv").symlink_to("../.git/HEAD")
    assert "data/train.npz: no such file" in refusal("evaluate")
