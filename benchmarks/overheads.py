"""Times one look, one grid and one checkpoint of the default recipe, each by the loop's own code.

.venv/bin/python -m benchmarks.overheads --rounds 5
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.ending import ending
from benchmarks.mnist import RULERS, SPEC
from benchmarks.our_step import Setting, build
from benchmarks.spread import Spread
from mnistgan import families, params
from mnistgan.families.contract import Ask
from pipeline.runtime import load_tensorflow


def measure(rounds: int) -> dict[str, Spread]:
    """Measures the seconds of each, by the name of its figure; compiling, which the first one does, is left out."""
    load_tensorflow(verbose=False)
    from mnistgan.training.checkpoint import Checkpoints
    from mnistgan.training.loop import Loop

    given = params.load(ROOT / "params.yaml")
    setting = Setting.of([])
    state = build(setting).state
    train, judge = _validation()
    with tempfile.TemporaryDirectory(prefix="mnistgan-bench-") as folder:
        family = families.find(setting.family)
        kept = Checkpoints(Path(folder))
        loop = Loop(family, given.train, setting.recipe, SPEC, train, judge.look, _Nobody(), kept)
        parts = {
            "look_s": lambda: judge.look(_sampler(loop, state), 1, 1),
            "grid_s": lambda: _draw(_sampler(loop, state), given.train.grid_seed, Path(folder)),
            "checkpoint_s": lambda: loop.checkpoints.save(state),
        }
        return {name: _timed(part, rounds) for name, part in parts.items()}


def _validation() -> tuple[Any, Any]:
    """Prepares the training images, and the object that looks at a generator."""
    from mnistgan.datasets.arrays import load
    from mnistgan.rulers import classifier, pixels
    from mnistgan.training.validation import Validation

    train, validation = (load(ROOT / "data" / f"{name}.npz") for name in ("train", "validation"))
    rulers = RULERS
    return train, Validation(train, validation, classifier.load(rulers), pixels.load(rulers), 0)


def _sampler(loop: Any, state: Any) -> Any:
    """What draws as it is judged, made anew as after an epoch."""
    from mnistgan.families.sampling import Sampler

    state.step += 1  # a snapshot is made once a step
    return Sampler(loop.family, loop.snapshot(state), loop.spec)


def _draw(sampler: Any, seed: int, folder: Path) -> None:
    from mnistgan.drawing import grids

    grids.write(folder, 1, sampler.images(Ask(grids.TRAINING_SIDE**2, seed)))


class _Nobody:
    """Observes nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def _timed(run: Callable[[], object], rounds: int) -> Spread:
    run()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return Spread.of(seconds)


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    for name, seconds in measure(parser.parse_args().rounds).items():
        print(f"{name}: {seconds}")


if __name__ == "__main__":
    ending(main)
