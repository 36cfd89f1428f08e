"""The real pipeline, killed while it really trains: `make repro` again ends as if nothing had happened."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest

from mnistgan.files import sha256
from pipeline.dvcfiles import dvc_lock
from pipeline.runs import journal
from tests.pipeline.cloning import SMALL, Clone, clone

pytestmark = pytest.mark.slow

STEPS, STEPS_AN_EPOCH = 72, 12
TOY = SMALL | {
    "images: train": "images: 384",
    "epochs: 9": "epochs: 6",
    "batch_size: 64": "batch_size: 32",
    "grid_every: 1": "grid_every: 2",
}
MIDDLE = STEPS // 2
QUEUED = ("same", "other")
WORKERS_OF = "MNISTGAN_TEST_QUEUE"
MINUTE = 60.0
ELSEWHERE = {"LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "7"}
TIMINGS = {"training/images_per_second", "training/overhead_share"}
"""What of a run is no result of its state."""


def toy(folder: Path, cache: Path) -> Clone:
    """A clone that trains 72 steps, in whose few seconds many checkpoints are saved."""
    cloned = clone(folder, cache, TOY)
    cloned.edit("params.yaml", "report_every: 100", "report_every: 6")
    cloned.edit("recipes/dcgan.yaml", "look_every: 1", "look_every: 3")
    loop = "src/mnistgan/training/loop.py"
    cloned.edit(loop, "SECONDS_BETWEEN_CHECKPOINTS = 30.0", "SECONDS_BETWEEN_CHECKPOINTS = 0.3")
    return cloned


def recorded(text: str) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """What a dvc.lock says that each stage read and wrote, by digest."""
    return {stage: (dict(part.deps), dict(part.outs)) for stage, part in dvc_lock.parts_of(text).items()}


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory: pytest.TempPathFactory, mnist_cache: Path) -> Clone:
    """A clone in which `dvc repro` ran to its end."""
    cloned = toy(tmp_path_factory.mktemp("never-killed"), mnist_cache)
    cloned.dvc("repro")
    return cloned


@dataclass(frozen=True)
class Stop:
    """How one `dvc repro` was stopped, and how the next one went on."""

    exit_code: int
    seconds: float
    """From the signal to the end."""
    saved_step: int
    """Of the newest checkpoint that was left."""
    lost_seconds: float
    """Of steps that no checkpoint holds."""
    recorded: frozenset[str]
    """The stages that dvc.lock has."""
    statuses: list[str]
    """Of the MLflow runs, as they were left."""


@dataclass
class Killed:
    """A clone in which `dvc repro` was stopped again and again until it was let end."""

    clone: Clone
    stops: list[Stop] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    """What `python -m pipeline check --repair` said before each further one."""
    outputs: list[str] = field(default_factory=list)
    """What each `dvc repro` said."""

    def make_repro(self) -> None:
        """Take the steps of `make repro`, to the end."""
        self.repairs.append(self.repair())
        self.outputs.append(self.clone.run(sys.executable, "-m", "dvc", "repro", ok=False))
        self.clone.pipeline("sync")

    def stop_at(self, moment: Callable[["Killed"], bool], number: int = signal.SIGKILL) -> None:
        """Start `dvc repro` and send its process group a signal at a moment."""
        self.repairs.append(self.repair())
        path = self.clone.root / "said"
        with path.open("w+") as output:
            self.process = psutil.Popen(
                [sys.executable, "-m", "dvc", "repro"],
                cwd=self.clone.root,
                env=self.clone.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            while not moment(self):
                assert self.process.poll() is None, path.read_text()
                time.sleep(0.001)
            signalled, began = time.time(), time.monotonic()
            os.killpg(self.process.pid, number)
            exit_code = self.process.wait()
        self.outputs.append(path.read_text())
        path.unlink()
        newest = self.checkpoints()[-1]
        self.stops.append(
            Stop(
                exit_code=int(exit_code),
                seconds=time.monotonic() - began,
                saved_step=step_of(newest),
                lost_seconds=max(0.0, signalled - newest.stat().st_mtime) if step_of(newest) < STEPS else 0.0,
                recorded=frozenset(recorded(dvc_lock.read(self.clone.root))),
                statuses=[run.info.status for run in self.clone.runs],
            )
        )

    def repair(self) -> str:
        return self.clone.run(sys.executable, "-m", "pipeline", "check", "--repair", ok=False)

    def checkpoints(self) -> list[Path]:
        return sorted(self.clone.root.glob("checkpoints/*/step_*.npz"))


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.stem.removeprefix("step_"))


def while_a_checkpoint_is_written(killed: Killed) -> bool:
    """There is one already, and another is half there."""
    return bool(killed.checkpoints()) and any(killed.clone.root.glob("checkpoints/*/.step_*"))


def while_an_epoch_runs(killed: Killed) -> bool:
    """Steps were made that no checkpoint holds: the curves' last row is ahead of it, within an epoch."""
    curves = killed.clone.root / "metrics/training.csv"
    last = curves.read_text().splitlines()[-1] if curves.exists() else ""
    step = int(last.split(",")[1]) if last[:1].isdigit() else 0
    return step % STEPS_AN_EPOCH != 0 and step > max(MIDDLE, step_of(killed.checkpoints()[-1]))


def soon_after(step: int) -> Callable[[Killed], bool]:
    return lambda killed: step_of(killed.checkpoints()[-1]) >= step


def between_the_stages_end_and_its_lock(killed: Killed) -> bool:
    """The stage's process is gone while DVC, held up meanwhile, has not seen it."""
    if not (killed.clone.root / "models/versions.json").exists():
        return False
    killed.process.suspend()
    (training,) = killed.process.children()
    while training.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.001)
    return True


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, mnist_cache: Path) -> Killed:
    """Three kills and a Ctrl-C in one training, then `make repro`; elsewhere than the reference in every way."""
    made = Killed(replace(toy(tmp_path_factory.mktemp("killed"), mnist_cache), settings=ELSEWHERE))
    made.stop_at(while_a_checkpoint_is_written)
    made.stop_at(soon_after(2 * STEPS_AN_EPOCH), signal.SIGINT)
    made.stop_at(while_an_epoch_runs)
    made.stop_at(between_the_stages_end_and_its_lock)
    made.make_repro()
    for stop in made.stops:
        print(f"exit {stop.exit_code} at step {stop.saved_step}: {stop.lost_seconds:.2f} s of steps lost")
    return made


def test_it_ends_with_the_same_bytes_as_one_never_killed_in_another_folder_locale_zone_and_hash_seed(
    never_killed: Clone, killed: Killed
) -> None:
    assert killed.outputs[-1].count("Running stage") == 3  # train, which had ended; evaluate; render
    texts = [dvc_lock.read(made.root) for made in (never_killed, killed.clone)]
    assert recorded(texts[1]) == recorded(texts[0])
    assert [part.changed_outs(killed.clone.root) for part in dvc_lock.parts_of(texts[1]).values()] == [[]] * 4


def test_each_time_it_went_on_from_the_newest_checkpoint_and_less_than_a_minute_was_lost(killed: Killed) -> None:
    went_on = [re.findall(r"goes on at step (\d+)", said) for said in killed.outputs]
    assert went_on == [[], *([str(stop.saved_step)] for stop in killed.stops)]
    steps = [stop.saved_step for stop in killed.stops]
    assert steps == sorted(steps)
    assert 0 < steps[0] < steps[1] <= steps[2] < steps[3] == STEPS
    assert max(stop.lost_seconds for stop in killed.stops) < MINUTE
    assert not list(killed.clone.root.glob("checkpoints/*/.*"))  # what was half-written is gone


def test_each_kill_was_seen_by_the_next_and_none_had_recorded_the_training(killed: Killed) -> None:
    kills = [number for number, stop in enumerate(killed.stops) if stop.exit_code == -signal.SIGKILL]
    assert kills == [0, 2, 3]
    assert {stop.recorded for stop in killed.stops} == {frozenset({"prepare"})}
    assert ["held entries of processes that are gone" in killed.repairs[number + 1] for number in kills] == [True] * 3


def test_ctrl_c_saves_and_marks_the_run_in_seconds(killed: Killed) -> None:
    stop, said = killed.stops[1], killed.outputs[1]
    assert stop.exit_code == 255  # DVC's own; the stage's is in its words
    assert "exited with 130" in said
    assert f"stopped at step {stop.saved_step} of {STEPS}, saved as" in said
    assert stop.statuses == ["KILLED"] or "MLflow was not up to date after" in said
    assert stop.seconds < MINUTE  # 4 s on an idle machine


def test_the_same_run_went_on_without_doubles(never_killed: Clone, killed: Killed) -> None:
    (run,), (expected,) = killed.clone.runs, never_killed.runs
    assert run.info.status == "FINISHED"
    assert run.data.params == expected.data.params
    assert run.data.tags["mnistgan.results"] == expected.data.tags["mnistgan.results"]
    points, expected_points = (made.points(of) for made, of in ((killed.clone, run), (never_killed, expected)))
    assert {name: points[name] for name in points.keys() - TIMINGS} == {
        name: expected_points[name] for name in expected_points.keys() - TIMINGS
    }
    assert {len(points[name]) for name in TIMINGS} == {1}
    assert killed.clone.images(run) == never_killed.images(expected) == [0, 2, 4, 6]


def test_two_experiments_of_the_queue_at_once_are_correct_and_published_once_each_into_a_store_that_was_empty(
    never_killed: Clone, tmp_path: Path, mnist_cache: Path
) -> None:
    cloned = replace(toy(tmp_path, mnist_cache), settings={WORKERS_OF: str(tmp_path)})
    cloned.dvc("exp", "run", "--queue", "--name", "same")
    cloned.dvc(
        "exp", "run", "--queue", "--name", "other", "-S", "train.seed=1", "-S", "recipes/dcgan.yaml:fast.epochs=2"
    )
    marked = cloned.root / "src/mnistgan/training/__init__.py"
    marked.write_text(marked.read_text() + "\nraise ImportError('the main checkout was imported')\n")
    with two_workers(cloned):
        assert eventually(lambda: len(ended(cloned)) == 2, seconds=1200), logs(cloned)
    assert ended(cloned) == ["Success", "Success"], logs(cloned)

    locks = {name: cloned.run("git", "show", f"{commit}:dvc.lock") for name, commit in experiments(cloned).items()}
    assert recorded(locks["same"]) == recorded(dvc_lock.read(never_killed.root))
    assert recorded(locks["other"])["train"] != recorded(locks["same"])["train"]

    runs = {run.data.tags["mnistgan.experiment"]: run for run in cloned.runs}
    assert len(cloned.runs) == len(runs) == 2
    for name, reference in experiments(cloned).items():
        run = runs[name]
        assert run.info.status == "FINISHED"
        curves = cloned.run("git", "show", f"{reference}:metrics/training.csv").splitlines()[1:]
        steps = [int(row.split(",")[1]) for row in curves]
        assert [step for step, _ in cloned.points(run)["training/generator_loss"]] == steps
        weights = cloned.store.download_artifacts(run.info.run_id, "models/final.npz", str(tmp_path))
        assert sha256(Path(weights)) == run.data.tags["mnistgan.weights"]
        events = journal.read(journal.path_of(cloned.root, run.data.tags["mnistgan.train_key"]))
        assert Path(events[0].facts["code"]).is_relative_to(cloned.root / ".dvc/tmp/exps")
    assert cloned.images(runs["same"]) == [0, 2, 4, 6]
    assert cloned.images(runs["other"]) == [0, 2]


@contextmanager
def two_workers(cloned: Clone) -> Iterator[None]:
    """Let two workers take DVC's queue. One may stay idle when it is empty, so they are ended with the block."""
    command = [sys.executable, "-m", "dvc", "queue", "start", "-j", "2"]
    nowhere = subprocess.DEVNULL  # a pipe would be open for as long as they are
    subprocess.run(command, cwd=cloned.root, env=cloned.environment, stdout=nowhere, stderr=nowhere, check=True)
    try:
        yield
    finally:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(WORKERS_OF) == str(cloned.root):
                    process.terminate()


def ended(cloned: Clone) -> list[str]:
    """How each experiment of the queue that has ended did."""
    return re.findall("Success|Failed", cloned.dvc("queue", "status"))


def experiments(cloned: Clone) -> dict[str, str]:
    """The commits of DVC's experiments, by name."""
    listed = cloned.run("git", "for-each-ref", "--format=%(objectname) %(refname:lstrip=-1)", "refs/exps")
    return {name: commit for commit, name in (line.split() for line in listed.splitlines()) if name in QUEUED}


def logs(cloned: Clone) -> str:
    """What the queue's experiments said, for a failure's message."""
    return "\n".join(cloned.run(sys.executable, "-m", "dvc", "queue", "logs", name, ok=False) for name in QUEUED)


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition comes true within a time; for what other processes do at their own pace."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(1)
    return False
