"""The pipeline's own training step, as its loop calls it, on a recipe of params.yaml."""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks import ROOT
from benchmarks.alternating import IMAGES_A_ROUND, hold_to, serve
from benchmarks.ending import BenchmarkError
from benchmarks.mnist import SPEC
from mnistgan import families, params
from mnistgan.families.contract import CommonRecipe
from pipeline import runtime


@dataclasses.dataclass(frozen=True)
class Setting:
    """Which step to time: its recipe, its batch size, and what is changed to see the price of it."""

    family: str
    recipe: CommonRecipe
    threads: int
    deterministic: bool = True
    """Whether TensorFlow's operations give the same bits every time, as the pipeline's do."""
    keras_layer: bool = False
    """Whether the 7x7 layer is Keras's own in place of the Fourier transform."""

    @classmethod
    def of(cls, arguments: Sequence[str] | None = None) -> "Setting":
        """Reads it from a command line. Raises BenchmarkError on a recipe that params.yaml lacks."""
        given = params.load(ROOT / "params.yaml")
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--recipe", default=given.train.recipe)
        parser.add_argument("--batch-size", type=int, help="the recipe's if left out")
        parser.add_argument("--float32", action="store_true", help="whatever the recipe's precision is")
        parser.add_argument("--not-deterministic", action="store_true")
        parser.add_argument("--keras-layer", action="store_true")
        options = parser.parse_args(arguments)
        if options.recipe not in given.recipes:
            raise BenchmarkError(f"--recipe: got {options.recipe}; params.yaml has {', '.join(given.recipes)}")
        recipe = given.recipes[options.recipe]
        if options.batch_size:
            recipe = recipe.model_copy(update={"batch_size": options.batch_size})
        precision = "float32" if options.float32 else runtime.precision(recipe.precision)[0]
        recipe = recipe.model_copy(update={"precision": precision})
        return cls(given.train.family, recipe, given.train.threads, not options.not_deterministic, options.keras_layer)


def build(setting: Setting) -> Any:
    """The steps of a training at its start, on all training images; TensorFlow set up as the setting says."""
    import tensorflow as tf

    from benchmarks.mnist import training_images
    from mnistgan.families.dcgan import step as dcgan
    from mnistgan.training.state import TrainingState
    from mnistgan.training.step import Steps

    tf.config.threading.set_intra_op_parallelism_threads(setting.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if setting.deterministic:
        tf.config.experimental.enable_op_determinism()
    if setting.keras_layer:
        dcgan.generator = partial(dcgan.generator, plain=True)
    family = families.find(setting.family)
    state = TrainingState.start(family, setting.recipe, SPEC, 0)
    return Steps(family, setting.recipe, state, 0, training_images())


def rounds(steps: Any) -> Callable[[], int]:
    """A round of steps by the loop's calls, one after the other, epoch after epoch; gives how many images it took."""
    from mnistgan.training.loop import STEPS_A_CALL

    (batches,) = steps.phases
    size = batches.phase.batch_size
    a_round = max(1, IMAGES_A_ROUND // size)
    done = 0

    def run() -> int:
        nonlocal done
        left = a_round
        while left:
            count = min(left, STEPS_A_CALL, batches.steps_per_epoch - done % batches.steps_per_epoch)
            steps.run(done, count)
            done, left = done + count, left - count
        return a_round * size

    return run


def main() -> None:
    """Serves rounds of the step."""
    setting = Setting.of()
    hold_to(setting.threads)
    serve(rounds(build(setting)))


if __name__ == "__main__":
    main()
