"""Compares the training step's images a second with the article's loop's and, where it is installed, PyTorch's.

All alternated in one run, each in a process of its own on as many cores as params.yaml has threads. Prints a table
with the spread over rounds; a ratio is of two within a round. By default the default recipe at its own batch size.

    .venv/bin/python -m benchmarks.step --rounds 9
    .venv/bin/python -m benchmarks.step --recipe article --pytorch
    .venv/bin/python -m benchmarks.step --keras-layer --not-deterministic
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from benchmarks.alternating import Contender, alternate
from benchmarks.ending import BenchmarkError, ending
from benchmarks.our_step import Setting
from benchmarks.spread import Spread

PYTORCH = ROOT / "benchmarks" / ".venv" / "bin" / "python"
"""The interpreter that `make bench-full` gives PyTorch."""
OURS = "ours"


@dataclass(frozen=True)
class Speeds:
    """Images a second of each contender, one a round, at one batch size."""

    recipe: str
    batch_size: int
    by_name: Mapping[str, Sequence[float]]

    def ratio(self, other: str) -> Spread:
        """How many times as fast as ``other`` we are."""
        return Spread.of_ratios(self.by_name[OURS], self.by_name[other])

    def table(self) -> str:
        """Formats everything as Markdown."""
        lines = [
            f"| {self.recipe}, batch {self.batch_size} | images/s | ours is so many times as fast |",
            "|---|---|---|",
        ]
        for name, speeds in self.by_name.items():
            ratio = "" if name == OURS else str(self.ratio(name))
            lines.append(f"| {name} | {Spread.of(speeds)} | {ratio} |")
        return "\n".join(lines)


def compare(recipe: str | None, rounds: int, others: Sequence[str], batch_size: int | None = None) -> Speeds:
    """Time our step on a recipe (the default one if None) and the ``others``, names of :func:`contenders`."""
    words = [*(["--recipe", recipe] if recipe else []), *(["--batch-size", str(batch_size)] if batch_size else [])]
    setting = Setting.of(words)
    known = contenders(words, setting)
    timed = alternate([known[name] for name in (OURS, *others)], rounds)
    return Speeds(recipe or "the default recipe", setting.recipe.batch_size, timed)


def contenders(words: Sequence[str], setting: Setting) -> dict[str, Contender]:
    """Lists all contenders by name; ``words`` are the options of our own step."""
    loop = ["--batch-size", str(setting.recipe.batch_size), "--threads", str(setting.threads)]
    found = [
        Contender(OURS, "our_step", words),
        Contender("article", "article_loop", loop),
        Contender("pytorch", "pytorch_loop", loop, str(PYTORCH)),
        Contender("float32", "our_step", [*words, "--float32"]),
        Contender("not deterministic", "our_step", [*words, "--not-deterministic"]),
        Contender("keras layer", "our_step", [*words, "--keras-layer"]),
    ]
    return {contender.name: contender for contender in found}


def need_pytorch(python: Path = PYTORCH) -> None:
    """Raises BenchmarkError where PyTorch's environment is not made."""
    if not python.exists():
        raise BenchmarkError(f"{python}: no such file, so PyTorch can't be timed; `make bench-full` makes it")


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds of each")
    parser.add_argument("--recipe", help="of params.yaml; the default one if left out")
    parser.add_argument("--batch-size", type=int, help="images a step; the recipe's if left out")
    parser.add_argument("--pytorch", action="store_true", help="PyTorch too")
    parser.add_argument("--float32", action="store_true", help="our step in float32 too")
    parser.add_argument("--not-deterministic", action="store_true", help="our step without op determinism too")
    parser.add_argument("--keras-layer", action="store_true", help="our step with Keras's own 7x7 layer too")
    options = parser.parse_args()
    if options.rounds < 1:
        raise BenchmarkError(f"--rounds: got {options.rounds}; takes 1 or more")
    if options.pytorch:
        need_pytorch()
    flags = {
        "pytorch": options.pytorch,
        "float32": options.float32,
        "not deterministic": options.not_deterministic,
        "keras layer": options.keras_layer,
    }
    others = ["article", *(name for name, wanted in flags.items() if wanted)]
    print(compare(options.recipe, options.rounds, others, options.batch_size).table())


if __name__ == "__main__":
    ending(main)
