"""Says how many of stacked MNIST's 1,000 modes three independent samples of a generator of single digits would show.

Metz et al. (arXiv 1611.02163) train on three digits stacked as one colour image, and count the combinations that a
classifier reads among samples, 26,000 of them in later work (PacGAN, arXiv 1712.04086). This is not that task, which
would need a data set of its own, and published counts do not compare: here single digits are learned and three samples
stacked. A mode's share is then the product of its classes' shares, so metrics/classes.csv tells all, without a draw's
luck: the KL divergence from the data's modes is three times that of the classes, the modes to be expected are a sum.

    .venv/bin/python -m benchmarks.stacked_modes benchmarks/runs/mnist/gan-fast/0 benchmarks/runs/mnist/vae-fast/0
"""

import argparse
from collections.abc import Sequence

import numpy as np

from benchmarks.ending import ending
from mnistgan.drawing.report.dots import Shares
from mnistgan.errors import UsageError
from pipeline.results import lookup
from pipeline.results.exhibits import CLASSES
from pipeline.results.rows import ASKED, labels_of

STACKED, DRAWS = 3, 26_000


def modes(shares: Sequence[float], draws: int = DRAWS) -> float:
    """Expects so many different modes among ``draws`` stacks of three samples, by the classes' shares [C], sum 1."""
    of_two = np.multiply.outer(shares, shares)
    return float(np.sum(1 - (1 - np.multiply.outer(of_two, shares)) ** draws))


def worded(name: str) -> str:
    """Words what a run's recorded shares come to, beside the data's. Raises UsageError where they tell nothing."""
    results = lookup.read(name)
    content = results.place.read(CLASSES) if results.place else None
    found = Shares.parse((content or b"class,share,prior").decode(), f"{name}, {CLASSES}")
    if not found.share:
        raise UsageError(f"{name}: holds no shares of classes; takes a run's folder or commit with its {CLASSES}")
    if (labels := labels_of(results)) == ASKED:
        raise UsageError(f"{name}: its classes were asked for, so that their shares are the asker's; takes other runs")
    leaves = results.side.members[0].figures.leaves
    divergence, expected = (STACKED * leaves[f"classes.{key}"] for key in ("divergence", "expected"))
    return (
        f"{name}: {modes(found.share):,.1f} of {len(found.share) ** STACKED:,} modes expected in {DRAWS:,} stacks "
        f"(by the data's shares {modes(found.prior):,.1f}); KL {divergence:.4f} nats (of shares drawn from the data's "
        f"{expected:.4f}); labels: {labels}"
    )


def main() -> None:
    """Prints a line a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", default=[lookup.WORKSPACE], help="folders or commits; else the workspace")
    for run in parser.parse_args().runs:
        print(worded(run))


if __name__ == "__main__":
    ending(main)
