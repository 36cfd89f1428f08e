"""Images a second of the default recipe's training step, with the 7x7 layer by a Fourier transform and by Keras.

Both in one process, in alternation, since machines drift; prints the medians and the spread of the paired ratio.

    .venv/bin/python benchmarks/step.py --rounds 9
"""

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from mnistgan import params  # noqa: E402
from mnistgan.data.arrays import Images  # noqa: E402
from mnistgan.models.kinds import KINDS, Architecture  # noqa: E402
from mnistgan.training.state import TrainingState  # noqa: E402
from mnistgan.training.step import Step  # noqa: E402

STEPS = 25


def main() -> None:
    """Time both and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="timed calls of each")
    parser.add_argument("--batch-size", type=int, help="images a step; the recipe's if left out")
    options = parser.parse_args()
    given = params.load(ROOT / "params.yaml")
    recipe = given.recipe.model_copy(update={"batch_size": options.batch_size or given.recipe.batch_size})
    tf.config.threading.set_intra_op_parallelism_threads(given.train.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    fourier = KINDS[recipe.kind]
    plain = dataclasses.replace(fourier, generator=fourier.plain_generator)
    runs = {"fourier": _stepping(recipe, fourier), "keras": _stepping(recipe, plain)}
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            speeds[name].append(STEPS * recipe.batch_size / (time.perf_counter() - began))
    for name, values in speeds.items():
        print(f"{name}: {statistics.median(values):.0f} images/s")
    ratios = [a / b for a, b in zip(speeds["fourier"], speeds["keras"], strict=True)]
    print(f"ratio: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), batch {recipe.batch_size}")


def _stepping(recipe: params.Recipe, architecture: Architecture) -> Callable[[], object]:
    """A compiled run of some steps on images of noise."""
    KINDS[recipe.kind] = architecture
    rng, count = np.random.default_rng(0), STEPS * recipe.batch_size
    data = Images(rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count, np.uint8))
    step = Step(TrainingState.start(recipe, 0), recipe, 0, data)
    order = tf.constant(step.batches.order(0))

    def run() -> object:
        return step.run(order, tf.constant(0, tf.int64), tf.constant(STEPS, tf.int32)).numpy()

    run()
    return run


if __name__ == "__main__":
    main()
