from pathlib import Path

import numpy as np
import pytest

from benchmarks.ending import BenchmarkError
from benchmarks.likelihood import likelihood
from mnistgan import families
from mnistgan.datasets import arrays
from mnistgan.families import sampling
from tests import committed
from tests.specs import MNIST


def lay_out(folder: Path, binarised: bool) -> None:
    """The params of a VAE's training, in a repository of their own."""
    committed.lay_out_params(folder, committed.params().replace("family: dcgan", "family: vae"))
    recipes = folder / families.recipes_file("vae")
    recipes.write_text(recipes.read_text().replace("binarised: false", f"binarised: {str(binarised).lower()}"))


def test_grey_pixels_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    lay_out(tmp_path, binarised=False)
    with pytest.raises(BenchmarkError, match=r"got vae fast, which has no likelihood; takes .* with `binarised: true`"):
        likelihood(tmp_path, images=10, seed=0)
    committed.lay_out_params(tmp_path)
    with pytest.raises(BenchmarkError, match="got dcgan fast, which has no likelihood"):
        likelihood(tmp_path, images=10, seed=0)


def test_an_untrained_model_needs_a_bit_a_pixel(tmp_path: Path) -> None:
    from mnistgan.families.vae.networks import encoder

    lay_out(tmp_path, binarised=True)
    with pytest.raises(BenchmarkError, match="--images: got 0; takes 1 or more"):
        likelihood(tmp_path, images=0, seed=0)
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
    arrays.save(tmp_path / "data/test.npz", arrays.Images(images, np.zeros(12, np.uint8)))
    sampling.save(tmp_path / "models/final.npz", "vae", families.find("vae").build_sampled(MNIST, 0))
    sampling.save(tmp_path / "models/parts/encoder.npz", "vae", encoder(MNIST, 0))
    said = likelihood(tmp_path, images=10, seed=0)
    negative_elbo = float(said.split()[2])
    assert negative_elbo == pytest.approx(784 * np.log(2), rel=0.02)
    assert "10 test images" in said
    assert "by 100 draws" in said
