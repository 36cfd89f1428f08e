"""Measures how evenly what a model draws changes between latents."""

from mnistgan.evaluation.measuring import Report
from mnistgan.families.sampling import Sampler, latents
from mnistgan.metrics.interpolation import interpolation
from mnistgan.metrics.rounding import rounded

PATHS, STEPS = 100, 16  # between pairs of latents
STREAM = 3  # sets their latents apart from the samples'


def smoothness(sampler: Sampler, seed: int) -> Report:
    """Reports the largest step of walks between latents of ``seed``, as shares of a walk, beside an even one's."""
    ends = latents([seed, STREAM], 2 * PATHS, sampler.latent_size).reshape(PATHS, 2, -1)
    found = interpolation(sampler.walks(ends, STEPS, [seed, STREAM]))
    report: Report = rounded({"largest_step": found.largest_step, "even": found.even})
    return report
