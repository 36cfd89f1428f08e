"""What lies in a checkpoints' folder and is no checkpoint is said, and never run."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mnistgan.files import write_arrays
from mnistgan.training.checkpoint import Checkpoints
from mnistgan.training.state import TrainingState
from tests.specs import MNIST
from tests.training.tiny import tiny


class Trap:
    """What a reader that unpickles it is told by: a file appears."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return Path.touch, (self.place,)


@pytest.fixture(scope="module")
def state(common):
    return TrainingState.start(tiny, common, MNIST, seed=0)


@pytest.fixture
def checkpoints(tmp_path, state):
    """Two checkpoints of a state, at steps 1 and 2, and two grids."""
    made = Checkpoints(tmp_path)
    for step in (1, 2):
        state.step = step
        made.save(state)
        made.save_grid(step, np.full((256, 28, 28), step, np.uint8))
    return made


def objects(path, trap):
    np.savez(path, images=np.array([trap], object), progress=np.array([trap], object))


def pickled(path, trap):
    path.write_bytes(pickle.dumps(trap))


def no_array(path, _trap):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images", "no array")


@pytest.mark.parametrize("write", [objects, pickled, no_array])
def test_a_checkpoint_of_pickles_is_passed_over_and_never_unpickled(checkpoints, state, tmp_path, write):
    trap = Trap(tmp_path / "unpickled")
    write(tmp_path / "step_000000003.npz", trap)
    said = []
    assert checkpoints.restore(state, said.append) == tmp_path / "step_000000002.npz"
    assert len(said) == 1
    assert "step_000000003.npz: not a whole NPZ of plain arrays" in said[0]
    assert not trap.place.exists()


@pytest.mark.parametrize(
    "write",
    [objects, pickled, no_array, lambda path, _: path.write_bytes(path.read_bytes()[:-9]),
     lambda path, _: write_arrays(path, {"images": np.zeros((256, 28, 28))}),
     lambda path, _: write_arrays(path, {"grid": np.zeros((256, 28, 28), np.uint8)})],
)  # fmt: skip
def test_a_broken_grid_is_said_and_training_starts_again(checkpoints, state, tmp_path, write):
    trap = Trap(tmp_path / "unpickled")
    write(tmp_path / "grid_000001.npz", trap)
    said = []
    assert checkpoints.restore(state, said.append) is None
    assert len(said) == 1
    assert said[0].startswith(f"a broken grid, so that training starts again: {tmp_path / 'grid_000001.npz'}: ")
    assert list(tmp_path.iterdir()) == []


def test_whole_grids_come_back_by_epoch_and_other_files_are_passed_over(checkpoints, state, tmp_path):
    (tmp_path / "grid_x.npz").write_bytes(b"no grid")
    assert checkpoints.restore(state, pytest.fail) == tmp_path / "step_000000002.npz"
    assert {epoch: images[0, 0, 0] for epoch, images in checkpoints.grids(1).items()} == {1: 1}
    assert {epoch: images[0, 0, 0] for epoch, images in checkpoints.grids().items()} == {1: 1, 2: 2}
