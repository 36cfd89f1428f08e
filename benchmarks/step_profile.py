"""Profiles a training step, layer by layer, by TensorFlow's profiler: a Markdown table.

One operation runs at a time (one thread between operations), so the times of operations add up to the step's. The two
passes of the discriminator, over real and over generated images, are one row.

    .venv/bin/python -m benchmarks.step_profile
    .venv/bin/python -m benchmarks.step_profile --contender article --batch-size 256
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.article_loop import BATCH_SIZE
from benchmarks.ending import BenchmarkError, ending
from benchmarks.our_step import Setting
from pipeline.runtime import load_tensorflow

STEPS = 16
"""Two penalties on the discriminator's slope among them, as in a training."""
ARTICLE, OURS = "article", "ours"
FORWARD, BACKWARD = "forward", "backward"
BETWEEN = "between operations"
OTHER = "losses, latents, gather and sums of gradients"
_LAYER = re.compile(r"(generator|discriminator)(?:_\d+)*/([a-z0-9_]*?[a-z0-9])(?:_\d+)*/", re.IGNORECASE)
_OPERATION = re.compile(r"([^:\s]+):([A-Za-z0-9_]+)")  # the profiler's own events hold two colons, or a blank
_UPDATE = re.compile(r"(?:^|/)(adam|average)(?:_\d+)*/|ResourceApplyAdam", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Row:
    """What an operation belongs to: a layer of a network, or a part of the step."""

    part: str
    layer: str = ""


def row_of(name: str) -> tuple[Row, str]:
    """The row and the column (forward or backward) of an operation, by its full name in the graph.

    Keras names a layer's operations after network and layer, and TensorFlow puts ``gradient_tape/`` before those of its
    gradient; a layer without a name of its own, such as LeakyReLU, is its class and a number.
    """
    column = BACKWARD if "gradient_tape/" in name else FORWARD
    if update := _UPDATE.search(name):
        return Row((update[1] or "adam").lower()), FORWARD
    if layer := _LAYER.search(name):
        return Row(layer[1].lower(), _layer(layer[2])), column
    return Row(OTHER), column


def _layer(name: str) -> str:
    """A layer's kind where it has no name of its own."""
    plain = name.lower().replace("_", "")
    for kind in ("leakyrelu", "dropout", "batchnormalization", "reshape", "flatten"):
        if kind in plain:
            return {"leakyrelu": "LeakyReLU", "batchnormalization": "BatchNorm"}.get(kind, kind)
    return name


def profile(run: Callable[[], object]) -> tuple[dict[str, float], float]:
    """Milliseconds of each operation, by its name, within one call of ``run``, and the call's own."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory(prefix="mnistgan-bench-") as folder:
        tf.profiler.experimental.start(folder)
        began = time.perf_counter()
        run()
        whole = 1000 * (time.perf_counter() - began)
        tf.profiler.experimental.stop()
        found: dict[str, float] = {}
        for name, milliseconds in _operations(Path(folder)):
            found[name] = found.get(name, 0.0) + milliseconds
    if not found:
        raise BenchmarkError("TensorFlow's profiler saw no operation")
    return found, whole


def _operations(folder: Path) -> Iterator[tuple[str, float]]:
    """Name and milliseconds of every operation that a profile holds: they are called ``name:kind``."""
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    for path in folder.rglob("*.xplane.pb"):
        space = XSpace()
        space.ParseFromString(path.read_bytes())
        for plane in space.planes:
            for line in plane.lines:
                for event in line.events:
                    name = plane.event_metadata[event.metadata_id].name
                    if operation := _OPERATION.fullmatch(name):
                        yield operation[1], event.duration_ps / 1e9


def table(operations: dict[str, float], whole: float, steps: int) -> str:
    """The operations' milliseconds a step as Markdown, by row, the largest first."""
    rows: dict[Row, dict[str, float]] = {}
    for name, milliseconds in operations.items():
        row, column = row_of(name)
        cells = rows.setdefault(row, {FORWARD: 0.0, BACKWARD: 0.0})
        cells[column] += milliseconds / steps
    rows[Row(BETWEEN)] = {FORWARD: (whole - sum(operations.values())) / steps, BACKWARD: 0.0}
    lines = ["| part | layer | forward, ms | backward, ms | share |", "|---|---|---|---|---|"]
    for row, cells in sorted(rows.items(), key=lambda item: -sum(item[1].values())):
        share = sum(cells.values()) * steps / whole
        backward = f"{cells[BACKWARD]:.2f}" if cells[BACKWARD] else ""
        lines.append(f"| {row.part} | {row.layer} | {cells[FORWARD]:.2f} | {backward} | {share:.1%} |")
    lines.append(f"| **the step** | | **{whole / steps:.2f}** | | |")
    return "\n".join(lines)


def ours(setting: Setting) -> Callable[[], object]:
    """Profiles ten steps of the pipeline's, with names put to the updates of Adam and of the average."""
    from benchmarks.our_step import build

    steps = build(setting)
    for adam in steps.state.parts.optimizers.values():
        adam.apply = _named("adam", adam.apply)
    if steps.state.average:
        steps.state.average.update = _named("average", steps.state.average.update)
    return lambda: steps.run(0, STEPS)


def _named(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    import tensorflow as tf

    def named(*arguments: Any) -> Any:
        with tf.name_scope(name):
            return run(*arguments)

    return named


def article(batch_size: int, threads: int) -> Callable[[], object]:
    """Profiles ten steps of the article's loop, one operation at a time."""
    import tensorflow as tf

    from benchmarks.article_loop import ArticleLoop, batches
    from benchmarks.mnist import training_images

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    loop = ArticleLoop(batch_size)
    feed = batches(training_images().images, batch_size)
    ready = [next(feed) for _ in range(STEPS)]  # what tf.data does beside the steps is not theirs

    def run() -> None:
        for batch in ready:
            loop.train_step(batch)
        loop.discriminator.trainable_variables[-1].numpy()

    return run


def main() -> None:
    """Profiles one contender and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Further options are those of benchmarks.our_step: --recipe, --batch-size, --keras-layer ...",
    )
    parser.add_argument("--contender", choices=(OURS, ARTICLE), default=OURS)
    options, words = parser.parse_known_args()
    setting = Setting.of(words)
    size = setting.recipe.batch_size
    load_tensorflow(verbose=False)
    if options.contender == ARTICLE:
        size = size if "--batch-size" in words else BATCH_SIZE
        run = article(size, setting.threads)
    else:
        run = ours(setting)
    for _ in range(2):
        run()
    operations, whole = profile(run)
    print(f"{options.contender}, batch {size}, {' '.join(words) or 'the default recipe'}", file=sys.stderr)
    print(table(operations, whole, STEPS))


if __name__ == "__main__":
    ending(main)
