import shutil

import numpy as np
import pytest

from mnistgan.errors import CheckpointError, DivergedError, Interrupted
from mnistgan.files import write_arrays
from mnistgan.training import loop as loops
from mnistgan.training.checkpoint import KEPT, Checkpoints
from mnistgan.training.loop import Loop
from mnistgan.training.state import TrainingState


class Watcher:
    """Remembers what the loop reports."""

    def __init__(self):
        self.resumed_at = None
        self.steps = []
        self.curves = []
        self.grids = {}
        self.warnings = []

    def resumed(self, step, checkpoint):
        self.resumed_at = step

    def stepped(self, step, total, scalars):
        self.steps.append(step)

    def rows(self, rows):
        self.curves = list(rows)

    def grid(self, epoch, images):
        self.grids[epoch] = images

    def warn(self, message):
        self.warnings.append(message)


def training(params, recipe, images, folder, should_stop=lambda: False):
    return Loop(params, recipe, images, Watcher(), Checkpoints(folder), should_stop)


def stopping_after(steps):
    """A ``should_stop`` that says yes from its n-th question on."""
    asked = iter(range(10**6))
    return lambda: next(asked) >= steps


@pytest.fixture(autouse=True, scope="module")
def few_statistics():
    """Fewer latents for BatchNorm's statistics: here their number is a matter of time alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loops, "STATISTICS_LATENTS", 64)
        yield


@pytest.fixture(scope="module")
def whole(params, recipe, images, few_statistics, tmp_path_factory):
    """A training that nothing stopped: its state, what it reported, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    loop = training(params, recipe, images, folder)
    return loop.run(), loop.observer, folder


@pytest.fixture
def its_folder(whole, tmp_path):
    """A copy of that training's folder."""
    return shutil.copytree(whole[2], tmp_path / "whole")


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.arrays().values(), other.arrays().values(), strict=True))


def test_it_reports_every_row_and_grid(whole, recipe):
    state, watcher, _ = whole
    assert state.step == 12
    assert [row["step"] for row in watcher.curves] == [4, 8, 12]
    assert [row["epoch"] for row in watcher.curves] == [0.6667, 1.3333, 2.0]
    assert sorted(watcher.grids) == [0, 1, 2]
    assert watcher.grids[2].shape == (256, 28, 28)


def test_stopped_and_run_again_it_ends_with_the_same_bits(whole, params, recipe, images, tmp_path):
    first = training(params, recipe, images, tmp_path / "cut", stopping_after(1))
    with pytest.raises(Interrupted, match="the same command goes on"):
        first.run()
    second = training(params, recipe, images, tmp_path / "cut")
    state = second.run()
    assert second.observer.resumed_at == first.observer.steps[-1] < 12
    assert same(state, whole[0])
    assert second.observer.curves == whole[1].curves
    assert {epoch: grid.tobytes() for epoch, grid in second.observer.grids.items()} == {
        epoch: grid.tobytes() for epoch, grid in whole[1].grids.items()
    }


def test_fresh_starts_over_and_is_itself_resumable(whole, its_folder, params, recipe, images):
    cut = training(params, recipe, images, its_folder, stopping_after(0))
    with pytest.raises(Interrupted):
        cut.run(fresh=True)
    assert cut.observer.resumed_at is None
    again = training(params, recipe, images, its_folder)
    assert same(again.run(), whole[0])
    assert again.observer.resumed_at == cut.observer.steps[-1]


def test_a_finished_training_has_nothing_left_to_do(whole, its_folder, params, recipe, images):
    loop = training(params, recipe, images, its_folder)
    assert same(loop.run(), whole[0])
    assert loop.observer.steps == []


def truncated(content):
    return content[: len(content) // 2]


def flipped(content):
    return content[:9000] + bytes([content[9000] ^ 1]) + content[9001:]


@pytest.mark.parametrize("damage", [truncated, flipped])
def test_a_damaged_newest_checkpoint_is_passed_over(params, recipe, images, tmp_path, monkeypatch, damage):
    monkeypatch.setattr(loops, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    first = training(params, recipe, images, tmp_path)
    end = first.run()
    newest, before = first.checkpoints.newest_first()
    newest.write_bytes(damage(newest.read_bytes()))
    second = training(params, recipe, images, tmp_path)
    assert same(second.run(), end)
    assert second.observer.resumed_at == int(before.stem.removeprefix("step_"))
    assert [newest.name in warning for warning in second.observer.warnings] == [True]


def test_only_the_newest_checkpoints_are_kept(params, recipe, images, tmp_path, monkeypatch):
    monkeypatch.setattr(loops, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    loop = training(params, recipe, images, tmp_path)
    loop.run()
    assert len(loop.checkpoints.newest_first()) == KEPT


def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_last_good_weights(params, recipe, images, tmp_path):
    calm = training(params, recipe, images, tmp_path, stopping_after(0))
    with pytest.raises(Interrupted):
        calm.run()
    good = calm.checkpoints.newest_first()
    wild = training(params, recipe.model_copy(update={"learning_rate": 1e30}), images, tmp_path)
    with pytest.raises(DivergedError, match=r"became (nan|inf) at step \d+; a lower learning_rate.*step_0+\d+\.npz"):
        wild.run()
    assert wild.checkpoints.newest_first() == good


def test_weights_that_are_not_finite_are_never_saved(recipe, tmp_path):
    state = TrainingState.start(recipe, seed=0)
    state.generator.trainable_variables[0].assign(np.full((100, 12544), np.nan))
    with pytest.raises(DivergedError, match="generator/dense/kernel holds NaN"):
        Checkpoints(tmp_path).save(state)
    assert list(tmp_path.iterdir()) == []


def assert_passed_over(state, named, folder):
    """A folder's one checkpoint, of these arrays, is named in a warning, and leaves the state as it was."""
    path = folder / "step_000000008.npz"
    write_arrays(path, named)
    before = state.arrays()
    warnings = []
    assert Checkpoints(folder).restore(state, warnings.append) is None
    assert [str(path) in warning for warning in warnings] == [True]
    assert all(np.array_equal(array, before[name]) for name, array in state.arrays().items())


def test_a_checkpoint_of_other_networks_is_not_taken(recipe, tmp_path):
    other = TrainingState.start(recipe, seed=1).arrays()
    assert "discriminator/conv14/kernel" in other
    other["discriminator/conv14/kernel"] = np.zeros((3, 3, 1, 64), np.float32)
    assert_passed_over(TrainingState.start(recipe, seed=0), other, tmp_path)


@pytest.mark.parametrize("part", ["discriminator/", "generator_second/", "average/", "progress"])
def test_a_checkpoint_that_lacks_a_part_is_not_taken(recipe, tmp_path, part):
    other = TrainingState.start(recipe, seed=1).arrays()
    kept = {name: array for name, array in other.items() if not name.startswith(part)}
    assert len(kept) < len(other)
    assert_passed_over(TrainingState.start(recipe, seed=0), kept, tmp_path)


def test_a_recipe_without_averaging_is_judged_by_what_it_trained(params, recipe, images, tmp_path):
    article = recipe.model_copy(update={"average_decay": 0.0, "recompute_batchnorm": False})
    loop = training(params, article, images, tmp_path)
    state = loop.run()
    judged = loop.snapshot(state)
    assert all(np.array_equal(*pair) for pair in zip(judged.get_weights(), state.generator.get_weights(), strict=True))


def test_an_average_without_fresh_statistics_takes_those_of_the_trained_network(params, recipe, images, tmp_path):
    loop = training(params, recipe.model_copy(update={"recompute_batchnorm": False}), images, tmp_path)
    state = loop.run()
    judged = loop.snapshot(state)
    for layer, trained in zip(judged.layers, state.generator.layers, strict=True):
        if "norm" in layer.name:
            assert np.array_equal(layer.moving_variance, trained.moving_variance)
            assert not np.array_equal(layer.gamma, trained.gamma)


def test_a_state_that_no_checkpoint_gives_stays_as_it_was(recipe, tmp_path):
    broken, kept = TrainingState.start(recipe, seed=1), TrainingState.start(recipe, seed=0)
    named = broken.arrays()
    named["average/0"] = named["average/0"][:1]
    with pytest.raises(CheckpointError, match="takes float32"):
        kept.restore(named, "somewhere")
    assert same(kept, TrainingState.start(recipe, seed=0))
