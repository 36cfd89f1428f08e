import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistgan.drawing.report import samples
from mnistgan.errors import FormatError, RulerError
from tests.drawing.report.furnished import digits, png

ROOT = Path(__file__).resolve().parents[3]
IMAGES = digits(np.random.default_rng(0), 256)


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    with np.load(ROOT / "pretrained" / "mnist" / "classifier.npz") as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.parametrize("scale", [2, 3])
def test_samples_cut_from_the_sheet_that_render_draws_are_those_drawn(scale: int) -> None:
    from mnistgan.drawing.pictures import digits as drawing

    sheet = np.asarray(drawing.samples(IMAGES, 16, scale))
    cut = samples.cut(sheet)
    assert cut is not None
    assert (cut == IMAGES).all()


def test_any_other_picture_is_no_sheet() -> None:
    assert samples.cut(np.zeros((448, 448), np.uint8)) is None
    assert samples.cut(np.zeros((10, 974), np.uint8)) is None


def test_the_classifier_in_numpy_says_what_the_ruler_says(weights: dict[str, np.ndarray]) -> None:
    from mnistgan.rulers import classifier

    ruler = classifier.load(ROOT / "pretrained" / "mnist").features(IMAGES).probabilities
    np.testing.assert_allclose(samples.probabilities(IMAGES, weights), ruler, atol=1e-4)


def test_the_ends_are_the_surest_and_the_least_sure(weights: dict[str, np.ndarray]) -> None:
    confidence = samples.probabilities(IMAGES, weights).max(axis=1)
    ranked = samples.rank(IMAGES, weights)
    worst, best = ([sample.confidence.value for sample in end] for end in (ranked.worst, ranked.best))
    assert worst == sorted(confidence)[:12]
    assert best == sorted(confidence, reverse=True)[:12]
    shown = ranked.worst[0]
    assert (pixels_of(shown.source) == IMAGES[shown.place]).all()


def test_other_weights_are_refused(weights: dict[str, np.ndarray]) -> None:
    with pytest.raises(RulerError, match="not the classifier's"):
        samples.rank(IMAGES, {**weights, "logits/kernel": np.zeros((3, 3), np.float32)})
    with pytest.raises(RulerError, match="not the classifier's"):
        samples.rank(IMAGES, {})


def test_what_is_no_small_png_is_refused_by_its_name() -> None:
    for content in (b"", b"GIF89a", png(IMAGES[0])[:60]):
        with pytest.raises(FormatError, match=r"a\.png: not a whole PNG"):
            samples.read(content, "a.png")
    with pytest.raises(FormatError, match="3000 x 3000 pixels"):
        samples.read(png(np.zeros((3000, 3000), np.uint8)), "a.png")


def test_a_picture_in_a_page_has_the_pixels_given_in_16_greys() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.abs(pixels_of(samples.embedded(ramp)).astype(int) - ramp).max() <= 8


def pixels_of(source: str) -> np.ndarray:
    head, _, content = source.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("L"))
