"""The pixel ruler is principal component analysis, and the same one each time."""

import numpy as np
import pytest

from mnistgan.rulers import pixels
from mnistgan.rulers.pixels import PixelRuler
from mnistgan.rulers.real import RealData


@pytest.fixture(scope="module")
def images(small: RealData) -> np.ndarray:
    return small.train.images[:1000]


@pytest.fixture(scope="module")
def fitted(images: np.ndarray) -> dict[str, np.ndarray]:
    return pixels.fit(images)


def test_the_components_are_orthonormal_and_the_widest_comes_first(
    images: np.ndarray, fitted: dict[str, np.ndarray]
) -> None:
    components = fitted["components"]
    assert np.allclose(components.T @ components, np.eye(pixels.COMPONENTS), atol=1e-5)
    spread = PixelRuler(fitted, "none").features(images).std(axis=0)
    assert (np.diff(spread) <= 1e-9).all()


def test_the_largest_entry_of_each_component_is_positive(fitted: dict[str, np.ndarray]) -> None:
    components = fitted["components"]
    largest = np.abs(components).argmax(axis=0)
    assert (components[largest, np.arange(pixels.COMPONENTS)] > 0).all()


def test_the_components_hold_the_variance_that_a_singular_value_decomposition_says(
    images: np.ndarray, fitted: dict[str, np.ndarray]
) -> None:
    flat = images.reshape(len(images), -1) / 255.0
    squares = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False) ** 2
    expected = squares[: pixels.COMPONENTS].sum() / squares.sum()
    assert pixels.explained(images, PixelRuler(fitted, "none")) == pytest.approx(expected, rel=1e-6)


def test_the_pinned_components_are_those_of_the_training_images(real: RealData, components: PixelRuler) -> None:
    again = PixelRuler(pixels.fit(real.train.images), "none")
    images = real.test.images[:500]
    assert np.allclose(again.features(images), components.features(images), atol=1e-4)
