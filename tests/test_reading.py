"""Whatever a file is, grows to or is nested like, it is read or refused within a moment and in a few words."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mnistgan import files, reading
from mnistgan.datasets import arrays
from mnistgan.datasets.fetching import raw, sources
from mnistgan.drawing import grids
from mnistgan.drawing.pictures import tables
from mnistgan.errors import DataError, MnistganError, ParamsError
from mnistgan.evaluation import outside
from mnistgan.params import load, parse
from pipeline.dvcfiles import dvc_lock, dvc_yaml
from pipeline.results import lookup, rules
from tests import committed
from tests.specs import FILES

ROOT = Path(__file__).resolve().parent.parent


def bomb(levels: int, value: str = "[{}]") -> str:
    """Ten aliases of ten aliases of ..., each in its turn: ten to the power of the levels, in a line a level."""
    inner = ["lol", *(",".join([f"*a{level}"] * 10) for level in range(levels - 1))]
    return "\n".join(f"a{level}: &a{level} {value.format(held)}" for level, held in enumerate(inner))


ENDLESS = {
    "aliases of aliases": (bomb(9), "its aliases make more than"),
    "merged aliases": (bomb(9, "{{<<: [{}]}}").replace("<<: [lol]", "k: v"), "its aliases make more than"),
    "an alias in what it names": ("a: &a [*a]", "nested deeper than 50 levels"),
    "nesting": ("[" * 300, "nested deeper than 50 levels"),
    "nested blocks": ("- " * 3000, "nested deeper than 50 levels"),
    "keys": ("".join(f"k{index}: 1\n" for index in range(6000)), "more than 10,000 keys and values"),
    "comments": ("#\n" * 200_000, "400,000 characters; takes 250,000 at most"),
    "an integer": (f"a: {'9' * 100_000}", "a number of 100,000 digits"),
    "a hexadecimal integer": (f"a: 0x{'f' * 100_000}", "a number of 100,002 digits"),
    "a fraction": (f"a: 0.{'1' * 100_000}", "a number of 100,002 digits"),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_yaml_that_grows_or_never_ends_is_refused_in_a_line(case: str) -> None:
    text, message = ENDLESS[case]
    with pytest.raises(ParamsError) as raised:
        reading.yaml_document(text, "it.yaml", ParamsError)
    assert str(raised.value).startswith("it.yaml")
    assert message in str(raised.value)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("case", ["aliases of aliases", "an integer", "nested blocks", "comments"])
def test_every_reader_of_yaml_is_held_to_the_same_bounds(case: str, tmp_path: Path) -> None:
    path = tmp_path / "it.yaml"
    path.write_text(ENDLESS[case][0])
    for read in (
        lambda: parse(path.read_text(), {}, {}, "params.yaml"),
        lambda: rules.read(path),
        lambda: dvc_lock.parts_of(path.read_text()),
        lambda: reading.yaml_document(path.read_text(), "dvc.yaml"),
    ):
        with pytest.raises(MnistganError, match=ENDLESS[case][1]):
            read()


def test_anchors_that_people_write_are_taken() -> None:
    text = "a: &a {k: 1, l: [2, 3]}\nb:\n  <<: *a\n  k: 4\nc: *a\n"
    assert reading.yaml_document(text, "it", ParamsError) == {
        "a": {"k": 1, "l": [2, 3]},
        "b": {"k": 4, "l": [2, 3]},
        "c": {"k": 1, "l": [2, 3]},
    }


def test_a_text_of_fifty_recipes_is_taken() -> None:
    text = committed.recipes()["dcgan"]
    recipe = text[text.index("best:\n") :]
    more = "".join(recipe.replace("best:", f"best{number}:") for number in range(50))
    assert len(parse(committed.params(), {"dcgan": text + more}, committed.datasets(), "params.yaml").recipes) == 54


LONG_JSON = {
    "nesting": ('{"a":' * 5000, "not JSON"),
    "closed nesting": ("[" * 400 + "]" * 400, "nested deeper than 50 levels"),
    "an integer": (f'{{"samples": {"9" * 100_000}}}', "a number of 100,000 digits"),
    "size": (" " * 10_000_001, "larger than the 10,000,000 bytes"),
}


@pytest.mark.parametrize("case", LONG_JSON)
def test_json_that_grows_or_never_ends_is_refused_in_a_line(case: str, tmp_path: Path) -> None:
    text, message = LONG_JSON[case]
    (tmp_path / "it.json").write_text(text)
    for read in (files.read_json, tables.metrics):
        with pytest.raises(DataError, match=message) as raised:
            read(tmp_path / "it.json")
        assert len(str(raised.value)) < 300


def test_a_message_repeats_no_more_of_its_input_than_a_screen_shows() -> None:
    told = str(MnistganError("head: " + "x" * 10**6 + " end\n" + "line\n" * 1000))
    assert told.startswith("head: xxx")
    assert "996,010 characters" in told
    assert told.splitlines()[0].endswith(" end")
    assert told.endswith("and 802 more lines")
    assert len(told) < 6000


@contextlib.contextmanager
def a_socket(path: Path) -> Iterator[None]:
    here = Path.cwd()
    os.chdir(path.parent)  # an address has room for 100 letters
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
            yield
    finally:
        os.chdir(here)


@contextlib.contextmanager
def making(make: Callable[[Path], object], path: Path) -> Iterator[None]:
    make(path)
    yield


NOT_PLAIN: dict[str, Callable[[Path], contextlib.AbstractContextManager[None]]] = {
    "a pipe": lambda path: making(os.mkfifo, path),
    "a socket": a_socket,
    "a device": lambda path: making(lambda it: it.symlink_to("/dev/zero"), path),
    "a folder": lambda path: making(Path.mkdir, path),
}


def of_folder(path: Path) -> object:
    return sources.fetch([FILES[1]], [f"folder:{path.parent}"], path.parent / "cache")


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "params": ("params.yaml", load),
    "rules": ("gate.yaml", rules.read),
    "lock": ("dvc.lock", lambda path: dvc_lock.read(path.parent)),
    "pipeline": ("dvc.yaml", lambda path: dvc_yaml.outs(path.parent)),
    "json": ("it.json", files.read_json),
    "arrays": ("it.npz", arrays.load),
    "digest": ("it.npz", files.sha256),
    "curves": ("it.csv", tables.training),
    "grid": ("epoch_0000.png", grids.read),
    "samples, npy": ("it.npy", lambda path: outside.read(path, 1)),
    "samples, npz": ("it.npz", lambda path: outside.read(path, 1)),
    "samples, png": ("it.png", lambda path: outside.read(path.parent, 1)),
    "raw": (raw.TRAIN_LABELS, of_folder),
    "raw, gz": (f"{raw.TRAIN_LABELS}.gz", of_folder),
}


@pytest.mark.parametrize("what", NOT_PLAIN)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_plain_file_is_refused_by_name_and_never_waited_for(what: str, reader: str, tmp_path: Path) -> None:
    name, read = READERS[reader]
    if what == "a folder" and reader in ("samples, npy", "samples, npz"):
        pytest.skip("a folder of PNGs may be called so")
    began = time.monotonic()
    with NOT_PLAIN[what](tmp_path / name), pytest.raises(MnistganError, match=f"{name}: .*is {what}"):
        read(tmp_path / name)
    assert time.monotonic() - began < 20


def test_figures_and_seeds_that_are_pipes_or_far_too_large_are_refused_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "it.json")
    with (tmp_path / "seeds.csv").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(MnistganError, match=r"it\.json: .*is a pipe"):
        lookup.read(str(tmp_path / "it.json"))
    with pytest.raises(MnistganError, match=r"seeds\.csv: larger than the 10,000,000 bytes"):
        lookup.read(str(tmp_path / "seeds.csv"))


def test_the_command_refuses_params_that_are_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "params.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "check"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (
        2,
        "error: params.yaml: can't be read: is a pipe, no plain file\n",
    )


@pytest.mark.parametrize("command", [["check"], ["verify", "--fast"], ["diff", "HEAD", "workspace"], ["trace", "HEAD"]])
def test_a_command_parses_each_yaml_file_once(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from pipeline.__main__ import app

    composed: list[str] = []
    compose = reading.YAML.compose
    monkeypatch.setattr(reading.YAML, "compose", lambda self, text: composed.append(text) or compose(self, text))
    reading._parsed.cache_clear()
    monkeypatch.chdir(ROOT)
    CliRunner().invoke(app, command)
    assert composed
    assert len(composed) == len(set(composed))


def test_who_changes_a_document_changes_nobody_elses() -> None:
    reading.yaml_document("a: {b: 1}", "it.yaml")["a"]["b"] = 2
    assert reading.yaml_document("a: {b: 1}", "it.yaml") == {"a": {"b": 1}}
