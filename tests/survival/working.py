"""What is killed: the project's own code for checkpoints, files, downloads, journals and publishing, at small work.

Each function runs in a process of its own until it is killed; ``done`` counts what it was told is safe.
"""

import json
import os
import resource
from collections.abc import Sequence
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import numpy as np

from mnistgan import files
from mnistgan.datasets.fetching import sources
from mnistgan.datasets.fetching.raw import RawFile
from mnistgan.errors import CheckpointError
from mnistgan.training.checkpoint import Checkpoints
from pipeline.runs import journal
from pipeline.tracking.gathering import gather
from pipeline.tracking.sources import of_lock
from pipeline.tracking.store import Store

Count = Synchronized  # of a long

VALUES = 300_000
"""Numbers in a toy state: a checkpoint of 1.2 MB, so that a kill finds its writing under way."""
BYTES = 2_000_000


class ToyState:
    """A training state in the terms of checkpoints: arrays out, arrays in, and a next one that follows from it."""

    def __init__(self) -> None:
        self.step = 0
        self.values = np.zeros(VALUES, np.float32)

    def advance(self) -> None:
        """Take a step; where it ends depends on every step before it."""
        self.step += 1
        self.values = self.values * np.float32(0.9) + np.float32(self.step)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"values": self.values, "progress": np.array(json.dumps({"step": self.step}))}

    def restore(self, named: dict[str, np.ndarray], source: str) -> None:
        try:
            self.step = json.loads(str(named["progress"]))["step"]
            self.values = named["values"]
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{source}: not whole: {error}") from error


def refuse(message: str) -> None:
    """Take no warning: a kill leaves nothing broken behind that a reader would meet."""
    raise AssertionError(message)


def resumed(folder: Path) -> ToyState:
    """The state of the newest checkpoint."""
    state = ToyState()
    Checkpoints(folder).restore(state, refuse)  # type: ignore[arg-type]
    return state


def train(folder: Path, done: Count, until: int = 10**9) -> None:
    """Step and save, from the newest checkpoint on."""
    state, kept = resumed(folder), Checkpoints(folder)
    while state.step < until:
        state.advance()
        kept.save(state)  # type: ignore[arg-type]
        done.value = state.step


def write(path: Path, done: Count) -> None:
    """Write a file again and again, each time with another byte throughout."""
    while True:
        files.write_bytes(path, bytes([(done.value + 1) % 256]) * BYTES)
        done.value += 1


def download(url: str, expected: Sequence[RawFile], cache: Path, done: Count) -> None:
    """Fetch all files, in the cache those that are there."""
    done.value = 1
    sources.fetch(expected, [url], cache)


def write_journal(path: Path, done: Count) -> None:
    """Note one number after another, from the last one on."""
    last = max((event.facts.get("number", 0) for event in journal.read(path)), default=0)
    with journal.recording(path, "train"):
        while True:
            last += 1
            journal.note(number=last)
            done.value = last


def publish(workspace: Path, uri: str, done: Count) -> None:
    """Publish what the workspace's dvc.lock records."""
    os.chdir(workspace)
    os.environ["MLFLOW_TRACKING_URI"] = uri
    done.value = 1
    Store(workspace).publish(gather(of_lock(), workspace))


def make_store(root: Path, done: Count) -> None:
    """Use MLflow's store of a folder, which makes it where there is none."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    done.value = 1
    Store(root)


def train_on_a_full_disk(folder: Path, done: Count) -> None:
    """Go on training where no file may grow past what a checkpoint needs; ends with 3 where that is said plainly."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (VALUES, VALUES))
    try:
        train(folder, done)
    except CheckpointError as error:
        plain = "can't be written" in str(error) and "earlier ones are whole" in str(error)
        raise SystemExit(3 if plain else 4) from error
