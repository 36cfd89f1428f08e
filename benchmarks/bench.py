"""Measures everything and writes it to benchmarks/results.json: `make bench`, and `make bench-full`.

`make bench` takes five minutes: the step beside the article's loop, commands and stages, one epoch of training with all
that watches it. `--full` takes more rounds, adds PyTorch, trains the default recipe whole, and reads the recorded runs.
Run either on a machine that does nothing else. A part that fails is told and ends the command with 2; the others'
figures are written all the same, and its own stay what they were.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import ROOT, commands, overheads, results, runs, step, training
from benchmarks.ending import BenchmarkError, ending
from benchmarks.results import ARTICLE_IMAGES, Figures, Measurement
from benchmarks.spread import Spread
from mnistgan import params
from mnistgan.errors import MnistganError
from mnistgan.files import write_json

BUSY = 0.5
"""A load average from which on something else is at work."""


@dataclass(frozen=True)
class Effort:
    """How many rounds to run of each, and whether to measure what takes long."""

    step: int
    stages: int
    commands: int
    parts: int
    full: bool


QUICK = Effort(step=6, stages=2, commands=3, parts=3, full=False)
FULL = Effort(step=15, stages=5, commands=9, parts=9, full=True)


def default_step(effort: Effort) -> Figures:
    """The default recipe's step at its own batch size."""
    speeds = step.compare(None, effort.step, ["article", "float32", "not deterministic", *_pytorch(effort)])
    print(speeds.table())
    figures = {
        "step_ratio_vs_article": speeds.ratio("article"),
        "step_ratio_vs_float32": speeds.ratio("float32"),
        "step_ratio_not_deterministic": speeds.ratio("not deterministic"),
        "images_per_second": Spread.of(speeds.by_name[step.OURS]),
    }
    return figures | ({"step_ratio_vs_pytorch": speeds.ratio("pytorch")} if _has_pytorch(effort) else {})


def article_step(effort: Effort) -> Figures:
    """The article's recipe at its batch size: the same work on both sides."""
    speeds = step.compare(runs.ARTICLE, effort.step, ["article", *_pytorch(effort)])
    print(speeds.table())
    loop = speeds.by_name["article"]
    figures = {
        "step_ratio_vs_article_at_256": speeds.ratio("article"),
        "images_per_second_article": Spread.of(loop),
        "article_loop_seconds": Spread.of([ARTICLE_IMAGES / speed for speed in loop]),
    }
    return figures | ({"step_ratio_vs_pytorch_at_256": speeds.ratio("pytorch")} if _has_pytorch(effort) else {})


def _pytorch(effort: Effort) -> list[str]:
    return ["pytorch"] if _has_pytorch(effort) else []


def _has_pytorch(effort: Effort) -> bool:
    return effort.full and step.PYTORCH.exists()


def pytorch(_: Effort) -> Figures:
    """Does nothing itself. Raises BenchmarkError where PyTorch is not there, so that its lack is told."""
    step.need_pytorch()
    return {}


def stage(name: str) -> "Part":
    """A stage other than the one that trains."""
    return lambda effort: {f"{name}_s": commands.stage_seconds(name, effort.stages)}


def the_help(effort: Effort) -> Figures:
    """The help."""
    return {"help_s": commands.help_seconds(effort.commands)}


def noop_repro(effort: Effort) -> Figures:
    """`dvc repro` with nothing to do."""
    return {"noop_repro_s": commands.noop_repro_seconds(effort.commands)}


def beside_the_steps(effort: Effort) -> Figures:
    """A look, a grid and a checkpoint."""
    return overheads.measure(effort.parts)


def real_training(effort: Effort) -> Figures:
    """Measures what watches a training, and its memory."""
    costs = training.measure() if effort.full else training.measure(epochs=1)
    print(costs)
    return {
        "tracking_share" if effort.full else "tracking_share_one_epoch": Spread.of([costs.tracking_share]),
        "peak_rss_mib": Spread.of([costs.peak_mib]),
        "publishing_rss_mib": Spread.of([costs.publishing_peak_mib]),
    }


def recorded_runs(_: Effort) -> Figures:
    """Finds how long the default recipe takes to get where the article's ends."""
    from benchmarks.our_step import Setting  # noqa: F401 - checks params.yaml

    recorded = runs.read()
    return to_article_quality(recorded, params.load(ROOT / "params.yaml").train.recipe)


def to_article_quality(recorded: list[runs.Run], recipe: str) -> Figures:
    """The figures that recorded runs give. Raises BenchmarkError where the recipe does not get there in one of them."""
    article, ours = runs.of_recipe(runs.ARTICLE, recorded), runs.of_recipe(recipe, recorded)
    processors = {run.looks[0].processor for run in (*article, *ours)}
    if len(processors) > 1:
        raise BenchmarkError(f"recorded runs: made on {', '.join(sorted(processors))}; times of one compare")
    quality = runs.article_quality(recorded)
    reached = {run.name: run.seconds_to(quality) for run in ours}
    if late := [name for name, seconds in reached.items() if seconds is None]:
        raise BenchmarkError(
            f"{', '.join(late)}: no look from which on all stay below {quality:.3f}, the article's end"
        )
    seconds = [found for found in reached.values() if found is not None]
    whole = Spread.of([run.seconds for run in article])
    return {
        "article_seconds": whole,
        "article_quality": Spread.of([run.quality for run in article]),
        "seconds_to_article_quality": Spread.of(seconds),
        "speedup_to_article_quality": Spread.of([whole.median / found for found in seconds]),
    }


Part = Callable[[Effort], Figures]
PARTS: Mapping[str, Part] = {
    "pytorch": pytorch,
    "help": the_help,
    "noop-repro": noop_repro,
    **{name: stage(name) for name in commands.STAGES},
    "default-step": default_step,
    "article-step": article_step,
    "beside-the-steps": beside_the_steps,
    "training": real_training,
    "recorded-runs": recorded_runs,
}
FULL_ALONE = ("pytorch", "prepare", "render", "recorded-runs")


def measure(names: Sequence[str], effort: Effort, measurement: Measurement) -> dict[str, str]:
    """Measures the parts named, writing after each; returns why those that failed did, by name."""
    failed = {}
    for name in names:
        print(f"{name} ...", flush=True)
        try:
            figures = PARTS[name](effort)
        except MnistganError as error:
            print(f"error: {name}: {error}", file=sys.stderr, flush=True)
            failed[name] = str(error)
            continue
        for key, figure in figures.items():
            print(f"  {key}: {figure}", flush=True)
        write_json(results.RESULTS, results.merged(results.read(), measurement, figures))
    return failed


def main() -> None:
    """Measures and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="more rounds, PyTorch, a whole training, the recorded runs")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may be given again")
    options = parser.parse_args()
    if (load := os.getloadavg()[0]) > BUSY:
        print(f"warning: something else is at work here (load {load:.1f}), so figures are of a busy machine")
    names = options.only or [name for name in PARTS if options.full or name not in FULL_ALONE]
    measurement = Measurement.begin("make bench-full" if options.full else "make bench", step.PYTORCH)
    failed = measure(names, FULL if options.full else QUICK, measurement)
    held = results.read()
    print(f"\n{results.table(held)}\n")
    if unknown := results.missing(held):
        print(f"not measured yet: {', '.join(unknown)}")
    if failed:
        raise BenchmarkError(
            f"not measured: {', '.join(failed)}; see above. The other figures are in {results.RESULTS}"
        )


if __name__ == "__main__":
    ending(main)
