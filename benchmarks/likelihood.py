"""Bounds the log-likelihood of a trained VAE on test images whose pixels are drawn black or white, in nats an image.

Of a repository that holds a training of a recipe with ``binarised: true``: the ELBO, and the importance bound of Burda
et al. (arXiv 1509.00519), under the prior N(0, I), a learned one left aside. Grey pixels have no likelihood here.

    .venv/bin/python -m benchmarks.likelihood
    .venv/bin/python -m benchmarks.likelihood --folder ../other --images 500
"""

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks import ROOT
from benchmarks.ending import BenchmarkError, ending
from mnistgan import params
from mnistgan.datasets.arrays import load
from pipeline import console
from pipeline.runtime import load_tensorflow

FAMILY, DRAWS = "vae", 100  # latents an image


def likelihood(folder: Path, images: int, seed: int) -> str:
    """Measures the training in a folder, and words it. Raises BenchmarkError where its recipe trained on grey."""
    given = params.load(folder / "params.yaml")
    if given.train.family != FAMILY or not given.recipe.binarised:
        raise BenchmarkError(
            f"{folder / 'params.yaml'}: got {given.train.family} {given.train.recipe}, which has no likelihood; "
            f"takes a recipe of {FAMILY} with `binarised: true`, since its Bernoulli gives grey pixels no probability"
        )
    if images < 1:
        raise BenchmarkError(f"--images: got {images}; takes 1 or more")
    test = load(folder / "data" / "test.npz").images[:images]
    load_tensorflow(verbose=False, threads=given.train.threads)
    from mnistgan.families import sampling
    from mnistgan.families.vae.likelihood import measured
    from mnistgan.families.vae.networks import load_encoder

    sampler = sampling.load(folder / "models" / "final.npz", given.dataset.counts)
    encoder = load_encoder(folder / "models" / "parts", sampler.spec)
    begun = time.perf_counter()
    with console.progress() as progress:
        found = measured(encoder, sampler.network.get_layer("decoder"), test, DRAWS, seed, progress)
    elbo, importance = (f"{-each.mean():.2f} ± {each.std(ddof=1) / np.sqrt(len(each)):.2f}" for each in found)
    return (
        f"negative ELBO {elbo}, by {DRAWS} draws -log p(x) <= {importance} nats an image (± standard error); "
        f"{len(test):,} test images made black and white by seed {seed}, prior N(0, I); "
        f"{time.perf_counter() - begun:.0f} s"
    )


def main() -> None:
    """Measures, and prints a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT, help="the repository that holds the training")
    parser.add_argument("--images", type=int, default=10_000, help="so many of the test images, the first")
    parser.add_argument("--seed", type=int, default=0, help="of the pixels' and latents' draws")
    options = parser.parse_args()
    print(likelihood(options.folder, options.images, options.seed))


if __name__ == "__main__":
    ending(main)
