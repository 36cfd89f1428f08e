"""The loop's own work, shown on a family whose training takes a second: it names no family."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from mnistgan.errors import CheckpointError, DivergedError, Interrupted
from mnistgan.families.contract import Ask
from mnistgan.families.sampling import Sampler
from mnistgan.files import write_arrays
from mnistgan.metrics.looks import Look
from mnistgan.training import checkpoint
from mnistgan.training import loop as loops
from mnistgan.training.checkpoint import KEPT, Checkpoints
from mnistgan.training.loop import Loop
from mnistgan.training.state import TrainingState
from tests.specs import MNIST
from tests.training.tiny import tiny


class Watcher:
    """Remembers what the loop reports."""

    def __init__(self):
        self.resumed_at = None
        self.steps = []
        self.curves = []
        self.seen = []
        self.grids = {}
        self.warnings = []

    def resumed(self, step, checkpoint):
        self.resumed_at = step

    def stepped(self, step, total, images, scalars, seconds):
        self.steps.append(step)

    def rows(self, rows):
        self.curves = list(rows)

    def looks(self, looks):
        self.seen = list(looks)

    def grid(self, epoch, images):
        self.grids[epoch] = images

    def warn(self, message):
        self.warnings.append(message)


def look(sampler, epoch, step, **figures):
    """A look without a ruler: a figure of some image's ink, and the first look is the best one."""
    ink = sampler.images(Ask(1, 5)).mean()
    healthy = {
        "fid": step + ink / 1e3, "fid_pixels": 1.0, "class_divergence": 0.01, "missing_class": 0.095,
        "smallest_ratio": 0.9, "dropped": 0, "dropped_classes": "", "coverage": 0.9, "repetition": 0.01,
    }  # fmt: skip
    return Look(epoch, step, **{**healthy, **figures})


def training(params, common, data, folder, should_stop=lambda: False, look=look):
    return Loop(tiny, params, common, MNIST, data, look, Watcher(), Checkpoints(folder), should_stop)


def stopping_after(steps):
    """A ``should_stop`` that says yes from its n-th question on, the one before the first step not counted."""
    asked = iter(range(-1, 10**6))
    return lambda: next(asked) >= steps


@pytest.fixture(scope="module")
def whole(params, common, data, tmp_path_factory):
    """A training that nothing stopped, saved after every call: its state, what it reported, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    loop = training(params, common, data, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loops, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        return loop.run(), loop.observer, folder


@pytest.fixture
def its_folder(whole, tmp_path):
    """A copy of that training's folder."""
    return shutil.copytree(whole[2], tmp_path / "whole")


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.arrays().values(), other.arrays().values(), strict=True))


def test_it_reports_every_row_and_grid(whole):
    state, watcher, _ = whole
    assert state.step == 12
    assert [row["step"] for row in watcher.curves] == [4, 8, 12]
    assert [row["epoch"] for row in watcher.curves] == [0.6667, 1.3333, 2.0]
    assert sorted(watcher.grids) == [0, 1, 2]
    assert watcher.grids[2].shape == (256, 28, 28)
    assert [(seen.epoch, seen.step) for seen in watcher.seen] == [(1, 6), (2, 12)]


def test_the_best_weights_are_those_of_the_step_whose_look_was_best(whole, params, common, data):
    state, watcher, folder = whole
    assert min(watcher.seen, key=lambda seen: seen.fid).epoch == 1
    best = training(params, common, data, folder).best(state)
    drawn = Sampler(tiny, best, MNIST).images(Ask(256, params.grid_seed))
    assert np.array_equal(drawn, watcher.grids[1])
    assert not np.array_equal(drawn, watcher.grids[2])


def test_looks_come_every_few_epochs_and_after_the_last(params, common, data, tmp_path):
    some = common.model_copy(update={"epochs": 3, "look_every": 2, "grid_every": 3})
    loop = training(params, some, data[np.arange(16)], tmp_path)
    loop.run()
    assert [seen.epoch for seen in loop.observer.seen] == [2, 3]


def test_a_collapse_is_said_once_when_it_has_lasted_and_again_after_a_recovery(params, common, data, tmp_path):
    figures = [{"repetition": 0.5}] * 4 + [{}] + [{"dropped": 1, "dropped_classes": "4"}] * 3
    loop = training(
        params,
        common.model_copy(update={"epochs": len(figures), "grid_every": 99}),
        data[np.arange(16)],
        tmp_path,
        look=lambda generator, epoch, step: look(generator, epoch, step, **figures[epoch - 1]),
    )
    loop.run()
    first, second = loop.observer.warnings
    assert first.startswith("the generator has collapsed from epoch 1: 50% of samples repeat")
    assert second.startswith("the generator has collapsed from epoch 6: class 4 nearly gone")
    assert "what usually helps" in first


@pytest.mark.parametrize("questions", [1, 2])  # right after the first look, and on the way to the next
def test_stopped_and_run_again_it_ends_with_the_same_bits(whole, params, common, data, tmp_path, questions):
    first = training(params, common, data, tmp_path / "cut", stopping_after(questions))
    with pytest.raises(Interrupted, match="the same command goes on"):
        first.run()
    second = training(params, common, data, tmp_path / "cut")
    state = second.run()
    assert second.observer.resumed_at == first.observer.steps[-1] < 12
    assert same(state, whole[0])
    assert second.observer.curves == whole[1].curves
    assert second.observer.seen == whole[1].seen
    assert {epoch: grid.tobytes() for epoch, grid in second.observer.grids.items()} == {
        epoch: grid.tobytes() for epoch, grid in whole[1].grids.items()
    }


def test_killed_after_a_look_that_no_checkpoint_knows_it_ends_with_the_same_bits(whole, params, common, data, tmp_path):
    class Killed(BaseException):
        pass

    def killing(generator, epoch, step):
        raise Killed

    killed = training(params, common, data, tmp_path, stopping_after(0))
    with pytest.raises(Interrupted):
        killed.run()
    at_its_look = training(params, common, data, tmp_path, look=killing)
    with pytest.raises(Killed):
        at_its_look.run()
    assert same(training(params, common, data, tmp_path).run(), whole[0])


def test_fresh_starts_over_and_is_itself_resumable(whole, its_folder, params, common, data):
    cut = training(params, common, data, its_folder, stopping_after(0))
    with pytest.raises(Interrupted):
        cut.run(fresh=True)
    assert cut.observer.resumed_at is None
    again = training(params, common, data, its_folder)
    assert same(again.run(), whole[0])
    assert again.observer.resumed_at == cut.observer.steps[-1]


def test_a_finished_training_has_nothing_left_to_do(whole, its_folder, params, common, data):
    loop = training(params, common, data, its_folder)
    assert same(loop.run(), whole[0])
    assert loop.observer.steps == []


def truncated(content):
    return content[: len(content) // 2]


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [truncated, flipped])
def test_a_damaged_newest_checkpoint_is_passed_over(whole, its_folder, params, common, data, damage):
    newest, before = Checkpoints(its_folder).newest_first()
    newest.write_bytes(damage(newest.read_bytes()))
    again = training(params, common, data, its_folder)
    assert same(again.run(), whole[0])
    assert again.observer.resumed_at == int(before.stem.removeprefix("step_")) == 8
    assert [newest.name in warning for warning in again.observer.warnings] == [True]


def test_with_every_checkpoint_damaged_it_names_each_and_starts_again(whole, its_folder, params, common, data):
    damaged = Checkpoints(its_folder).newest_first()
    for path, damage in zip(damaged, (truncated, flipped), strict=True):
        path.write_bytes(damage(path.read_bytes()))
    again = training(params, common, data, its_folder)
    assert same(again.run(), whole[0])
    assert again.observer.resumed_at is None
    assert again.observer.steps[0] == 4
    *named, last = again.observer.warnings
    assert all(path.name in warning for path, warning in zip(damaged, named, strict=True))
    assert last == "no checkpoint is whole, so that training starts again"


def test_a_request_to_stop_that_came_while_it_started_stops_it_before_the_first_step(params, common, data, tmp_path):
    loop = training(params, common, data, tmp_path, should_stop=lambda: True)
    with pytest.raises(Interrupted, match="stopped before a step was made; the same command goes on at step 0"):
        loop.run()
    assert loop.observer.steps == []


def test_a_kill_at_the_worst_moment_costs_less_than_a_minute(params, common, data, tmp_path, monkeypatch):
    clock, saved = SimpleNamespace(now=0.0), [0.0]
    monkeypatch.setattr(checkpoint, "time", SimpleNamespace(monotonic=lambda: clock.now))

    class Slow(Watcher):
        def stepped(self, step, total, images, scalars, seconds):
            clock.now += 6.0  # 10 steps of the article's batch on two cores: the longest call

    class Noting(Checkpoints):
        def save(self, state):
            saved.append(clock.now)
            return super().save(state)

    def slow_look(generator, epoch, step):
        clock.now += 5.0  # more than one takes
        return look(generator, epoch, step)

    longer = common.model_copy(update={"epochs": 20, "grid_every": 20})
    Loop(tiny, params, longer, MNIST, data[np.arange(16)], slow_look, Slow(), Noting(tmp_path)).run()
    assert clock.now > 3 * 60
    assert 0 < max(np.diff(saved)) < 60


def test_only_the_newest_checkpoints_are_kept(whole):
    saved = [path.name for path in Checkpoints(whole[2]).newest_first()]
    assert saved == ["step_000000012.npz", "step_000000008.npz"]
    assert len(saved) == KEPT


def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_last_good_weights(its_folder, params, common, data):
    newest, *good = Checkpoints(its_folder).newest_first()
    newest.unlink()
    wild = training(params, common.model_copy(update={"learning_rate": 1e30}), data, its_folder)
    with pytest.raises(DivergedError, match=r"became (nan|inf) at step \d+; a lower learning_rate.*step_0+8\.npz"):
        wild.run()
    assert wild.observer.resumed_at == 8
    assert wild.checkpoints.newest_first() == good


def test_weights_that_are_not_finite_are_never_saved(common, tmp_path):
    state = TrainingState.start(tiny, common, MNIST, seed=0)
    state.sampled.trainable_variables[0].assign(np.full((3, 784), np.nan))
    with pytest.raises(DivergedError, match="drawing/dense/kernel holds NaN"):
        Checkpoints(tmp_path).save(state)
    assert list(tmp_path.iterdir()) == []


def assert_passed_over(state, named, folder):
    """A folder's one checkpoint, of these arrays, is named in a warning, and leaves the state as it was."""
    path = folder / "step_000000008.npz"
    write_arrays(path, named)
    before = state.arrays()
    warnings = []
    assert Checkpoints(folder).restore(state, warnings.append) is None
    assert [str(path) in warning for warning in warnings] == [True, False]  # the second: training starts again
    assert all(np.array_equal(array, before[name]) for name, array in state.arrays().items())


def test_a_checkpoint_of_other_networks_is_not_taken(common, tmp_path):
    other = TrainingState.start(tiny, common, MNIST, seed=1).arrays()
    assert "telling/dense/kernel" in other
    other["telling/dense/kernel"] = np.zeros((784, 2), np.float32)
    assert_passed_over(TrainingState.start(tiny, common, MNIST, seed=0), other, tmp_path)


@pytest.mark.parametrize("part", ["telling/", "drawing_second/", "average/", "seen/", "progress"])
def test_a_checkpoint_that_lacks_a_part_is_not_taken(common, tmp_path, part):
    other = TrainingState.start(tiny, common, MNIST, seed=1).arrays()
    kept = {name: array for name, array in other.items() if not name.startswith(part)}
    assert len(kept) < len(other)
    assert_passed_over(TrainingState.start(tiny, common, MNIST, seed=0), kept, tmp_path)


@pytest.mark.parametrize("damage", ["missing", "of another network"])
def test_a_checkpoint_whose_best_weights_do_not_fit_is_not_taken(whole, common, tmp_path, damage):
    named = whole[0].arrays()
    broken = named.pop("best/dense/kernel")
    if damage != "missing":
        named["best/dense/kernel"] = broken[:1]
    assert_passed_over(TrainingState.start(tiny, common, MNIST, seed=0), named, tmp_path)


def test_a_recipe_without_averaging_is_judged_by_what_it_trained(params, common, data, tmp_path):
    article = common.model_copy(update={"average_decay": 0.0, "recompute_batchnorm": False})
    loop = training(params, article, data, tmp_path)
    state = loop.run()
    judged = loop.snapshot(state)
    assert all(np.array_equal(*pair) for pair in zip(judged.get_weights(), state.sampled.get_weights(), strict=True))


def test_an_average_without_fresh_statistics_takes_those_of_the_trained_network(params, common, data, tmp_path):
    loop = training(params, common.model_copy(update={"recompute_batchnorm": False}), data, tmp_path)
    state = loop.run()
    judged = loop.snapshot(state)
    for layer, trained in zip(judged.layers, state.sampled.layers, strict=True):
        if "norm" in layer.name:
            assert np.array_equal(layer.moving_variance, trained.moving_variance)
            assert not np.array_equal(layer.gamma, trained.gamma)


def test_a_state_that_no_checkpoint_gives_stays_as_it_was(common, tmp_path):
    broken, kept = TrainingState.start(tiny, common, MNIST, seed=1), TrainingState.start(tiny, common, MNIST, seed=0)
    named = broken.arrays()
    named["average/0"] = named["average/0"][:1]
    with pytest.raises(CheckpointError, match="takes float32"):
        kept.restore(named, "somewhere")
    assert same(kept, TrainingState.start(tiny, common, MNIST, seed=0))
