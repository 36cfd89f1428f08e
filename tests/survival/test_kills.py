"""Killed at random moments, by SIGKILL, the same command goes on, and nothing half-made is ever read."""

import gzip
import hashlib
import multiprocessing
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnistgan.datasets.fetching import sources
from mnistgan.datasets.fetching.raw import RawFile
from mnistgan.training.checkpoint import Checkpoints
from pipeline.runs import journal
from pipeline.tracking.connection import EXPERIMENT
from pipeline.tracking.gathering import gather
from pipeline.tracking.sources import of_lock
from pipeline.tracking.store import Store
from tests.datasets.fetching.served import Site, serve
from tests.pipeline.fabricated import Workspace
from tests.survival import working

ROOT = Path(__file__).resolve().parents[2]
PIECE = 4096


@pytest.fixture(scope="module")
def nursery() -> ForkServerContext:
    """Where processes are forked from, TensorFlow and MLflow loaded once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.survival.working", "mlflow"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    first = context.Process(target=os.getpid)
    first.start()
    first.join()
    assert first.exitcode == 0
    os.environ.pop("PYTHONPATH")
    if before is not None:
        os.environ["PYTHONPATH"] = before
    return context


class Killer:
    """Starts work in a process and kills it within a time."""

    def __init__(self, nursery: ForkServerContext) -> None:
        self._nursery = nursery
        self._moments = random.Random(6)
        self.exits: list[int | None] = []

    def __call__(self, work: Callable[..., None], *arguments: Any, within: float, count: int = 0) -> int:
        """Kill ``work`` at a moment within so many seconds of its first sign; the count that it had reached."""
        done = self._nursery.Value("l", count)
        process = self._nursery.Process(target=work, args=(*arguments, done))
        process.start()
        while done.value == count and process.is_alive():  # not at work yet
            process.join(0.001)
        process.join(self._moments.uniform(0, within))
        process.kill()
        process.join()
        self.exits.append(process.exitcode)
        return int(done.value)


@pytest.fixture
def kill(nursery: ForkServerContext) -> Iterator[Killer]:
    killer = Killer(nursery)
    yield killer
    assert set(killer.exits) <= {0, -9}
    assert -9 in killer.exits


def test_a_training_killed_anywhere_goes_on_from_the_last_step_that_was_saved(kill: Killer, tmp_path: Path) -> None:
    reached = 0
    for _ in range(6):
        reached = kill(working.train, tmp_path, within=0.2, count=reached)
        saved = working.resumed(tmp_path)
        assert reached <= saved.step <= reached + 1
        reached = saved.step
    state, never_killed = working.resumed(tmp_path), working.ToyState()
    state.advance()
    while never_killed.step < state.step:
        never_killed.advance()
    assert reached > 6
    assert np.array_equal(state.values, never_killed.values)
    Checkpoints(tmp_path).save(state)  # type: ignore[arg-type]  # a kill ahead of the deletion may have left three
    assert len(Checkpoints(tmp_path).newest_first()) == 2
    assert len(list(tmp_path.iterdir())) == 2  # what was half-written is gone


def test_a_file_is_read_whole_whenever_its_writer_was_killed(kill: Killer, tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    reached = 0
    for _ in range(4):
        reached = kill(working.write, path, within=0.1, count=reached)
        content = path.read_bytes()
        assert len(content) == working.BYTES
        assert set(content) in ({reached % 256}, {(reached + 1) % 256})
    assert all(left.name.startswith(".curves.csv.") for left in tmp_path.iterdir() if left != path)


@pytest.fixture
def site() -> Iterator[Site]:
    yield from serve(Site())


def in_pieces(site: Site, content: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer slowly enough to be cut off."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        try:
            for start in range(0, len(content), PIECE):
                handler.wfile.write(content[start : start + PIECE])
                site.closing.wait(0.005)
        except OSError:
            pass  # who asked was killed

    return answer


def test_a_download_killed_anywhere_is_taken_up_and_no_half_file_is_kept(
    kill: Killer, make_idx: Any, site: Site, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    contents = {f"part-{number}": make_idx(np.roll(images, number)) for number in range(4)}
    expected = [
        RawFile(name, "images", len(images), hashlib.sha256(content).hexdigest()) for name, content in contents.items()
    ]
    site.answers |= {f"{name}.gz": in_pieces(site, gzip.compress(content)) for name, content in contents.items()}
    for _ in range(5):
        kill(working.download, site.url, expected, tmp_path, within=0.15)
        for name, content in contents.items():
            assert not (tmp_path / name).exists() or (tmp_path / name).read_bytes() == content
    kept = {name for name in contents if (tmp_path / name).exists()}
    site.asked.clear()
    found = sources.fetch(expected, [site.url], tmp_path)
    assert {file.name: content for file, content in found.items()} == contents
    assert site.asked == [f"{name}.gz" for name in contents if name not in kept]


def test_a_journal_keeps_every_line_that_was_written_and_shows_its_writer_to_be_gone(
    kill: Killer, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    reached = 0
    for _ in range(4):
        reached = kill(working.write_journal, path, within=0.1, count=reached)
        assert not journal.is_live(path)
        numbers = [event.facts["number"] for event in journal.read(path) if "number" in event.facts]
        assert numbers == list(range(1, len(numbers) + 1))
        assert reached <= len(numbers) <= reached + 1
        reached = len(numbers)


def test_a_publishing_killed_anywhere_is_completed_by_the_next_without_doubles(
    kill: Killer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"weights")
    workspace = Workspace.create(tmp_path / "workspace", seed=0)
    monkeypatch.chdir(workspace.root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    workspace.train(weights, rows=30)
    workspace.lock("train")
    uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    store = Store(tmp_path)
    for _ in range(5):
        kill(working.publish, workspace.root, uri, within=1.0)
    done = store.publish(gather(of_lock(), workspace.root))
    assert done is not None

    import mlflow

    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.run_id for run in runs] == [done.run_id]
    points = client.get_metric_history(done.run_id, "training/generator_loss")
    assert [point.step for point in points] == [100 * row for row in range(1, 31)]
    pictures = [file.path for file in client.list_artifacts(done.run_id, "images") if file.path.endswith(".png")]
    assert len(pictures) == 30
    assert len({name.split("+step+")[1].split("+")[0] for name in pictures}) == 30
    again = store.publish(gather(of_lock(), workspace.root))
    assert again is not None
    assert not again.is_news


def test_a_store_whose_making_was_killed_anywhere_is_made_by_the_next_of_which_two_may_come_at_once(
    kill: Killer, nursery: ForkServerContext, tmp_path: Path
) -> None:
    for _ in range(4):
        kill(working.make_store, tmp_path, within=1.0)
    done = nursery.Value("l", 0)
    others = [nursery.Process(target=working.make_store, args=(tmp_path, done)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0]
    assert {path.name for path in (tmp_path / "mlruns").iterdir()} == {"mlflow.db", ".creating.lock"}


def test_a_checkpoint_that_finds_no_room_is_said_plainly_and_the_earlier_ones_are_whole(
    nursery: ForkServerContext, tmp_path: Path
) -> None:
    done = nursery.Value("l", 0)
    working.train(tmp_path, done, until=3)
    process = nursery.Process(target=working.train_on_a_full_disk, args=(tmp_path, done))
    process.start()
    process.join()
    assert process.exitcode == 3
    assert working.resumed(tmp_path).step == 3
    working.train(tmp_path, done, until=5)  # there is room again
    assert working.resumed(tmp_path).step == 5


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB; only root can make one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk takes the right to mount one; the test of files that may not grow stands in")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_or_turns_read_only_loses_nothing_and_training_goes_on_when_it_may(
    nursery: ForkServerContext, small_disk: Path
) -> None:
    from mnistgan.errors import CheckpointError

    done = nursery.Value("l", 0)
    folder = small_disk / "checkpoints"
    folder.mkdir()
    working.train(folder, done, until=2)
    (small_disk / "filler").write_bytes(bytes(1_000_000))
    with pytest.raises(CheckpointError, match="No space left on device; earlier ones are whole"):
        working.train(folder, done, until=9)
    assert working.resumed(folder).step == 2
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(CheckpointError, match="Read-only file system"):
        Checkpoints(folder).save(working.resumed(folder))  # type: ignore[arg-type]
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    (small_disk / "filler").unlink()
    working.train(folder, done, until=9)
    assert working.resumed(folder).step == 9
