import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistgan import families, files
from mnistgan.datasets import arrays
from mnistgan.drawing import grids
from mnistgan.errors import DataError, FormatError, MnistganError, RulerError
from mnistgan.families import sampling
from mnistgan.families.contract import Ask
from mnistgan.families.vae.networks import encoder
from mnistgan.rulers import cards, classifier, pixels
from mnistgan.rulers.pins import pins
from pipeline.commands.render import ASKED, render
from tests import committed
from tests.specs import COUNTS, MNIST

EPOCHS = (0, 1, 2)
EVALUATION = {"fid": {"value": 7.0, "floor": 0.5}, "samples": 10000}
PICTURES = {
    "class_histogram.png",
    "digits.png",
    "interpolation.png",
    "losses.png",
    "metrics.png",
    "probabilities.png",
    "progress.png",
    "real_and_generated.png",
    "samples.png",
    "training.gif",
}


@dataclass(frozen=True)
class Inputs:
    """What render reads, and where it writes."""

    weights: Path
    parts: Path
    grids: Path
    curves: Path
    evaluation: Path
    classes: Path
    test: Path
    rulers: Path
    pictures: Path = Path("pictures")
    samples: Path = Path("plots/samples.png")
    progress: Path = Path("plots/progress.png")

    def render(self) -> None:
        render(**vars(self))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, generator: Path) -> Inputs:
    """Networks that never trained, and small tables: enough to draw every picture."""
    root = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(8)
    shapes = classifier.SHAPES.items()
    drawn = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes}
    flat = {name: np.zeros(shape, np.float32) for name, shape in pixels.SHAPES.items()}
    by = cards.save(root / "rulers", classifier.NAME, drawn, {}), cards.save(root / "rulers", pixels.NAME, flat, {})
    pinned = str(pins(by[0], classifier.LAYERS, by[1], ["a", "b", "c"], 10000, 1))
    (root / "grids").mkdir()
    for epoch in EPOCHS:
        tiles = grids.tile(rng.integers(0, 256, (256, 28, 28), np.uint8), 16)
        Image.fromarray(tiles).save(root / "grids" / f"epoch_{epoch:04d}.png")
    header = "epoch,step,generator_loss,discriminator_loss,probability_real,probability_fake"
    rows = [f"{step / 100},{step},0.9,1.2,0.6,0.4" for step in range(50, 201, 50)]
    (root / "training.csv").write_text("\n".join([header, *rows, ""]))
    (root / "classes.csv").write_text("class,share,prior\n" + "".join(f"{digit},0.1,0.1\n" for digit in range(10)))
    (root / "evaluation.json").write_text(json.dumps({**EVALUATION, "pins": pinned}))
    images = rng.integers(0, 256, (300, 28, 28), np.uint8)
    arrays.save(root / "test.npz", arrays.Images(images, (np.arange(300) % 10).astype(np.uint8)))
    return Inputs(
        generator,
        root / "parts",
        root / "grids",
        root / "training.csv",
        root / "evaluation.json",
        root / "classes.csv",
        root / "test.npz",
        root / "rulers",
    )


def run_in(folder: Path, inputs: Inputs) -> None:
    committed.lay_out_params(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        inputs.render()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, inputs: Inputs) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    run_in(folder, inputs)
    return folder


def outs(folder: Path) -> dict[str, bytes]:
    found = sorted([*folder.glob("pictures/*"), *folder.glob("plots/*")])
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_every_picture_is_written(rendered: Path) -> None:
    assert {path.name for path in (rendered / "pictures").iterdir()} == PICTURES
    assert {path.name for path in (rendered / "plots").iterdir()} == {"samples.png", "progress.png"}


def test_the_two_pictures_kept_in_git_are_150_kb_together_at_most_even_of_pure_noise(rendered: Path) -> None:
    assert sum(path.stat().st_size for path in (rendered / "plots").iterdir()) <= 150_000


def test_every_picture_names_the_weights_and_no_date_or_program(rendered: Path, inputs: Inputs) -> None:
    digest = files.sha256(inputs.weights)
    for path in rendered.glob("*/*.png"):
        with Image.open(path) as picture:
            assert picture.info.pop("generator-sha256") == digest, path.name
            assert not picture.info, path.name
    with Image.open(rendered / "pictures" / "training.gif") as animation:
        assert animation.info["comment"] == f"generator-sha256 {digest}".encode()


def test_drawing_again_gives_the_same_bytes(rendered: Path, inputs: Inputs, tmp_path: Path) -> None:
    run_in(tmp_path, inputs)
    again = outs(tmp_path)
    assert again.keys() == outs(rendered).keys()
    for name, content in outs(rendered).items():
        assert again[name] == content, name


def test_the_animation_has_a_frame_an_epoch_at_the_pace_of_params(rendered: Path) -> None:
    with Image.open(rendered / "pictures" / "training.gif") as animation:
        assert animation.n_frames == len(EPOCHS)
        assert animation.info["duration"] == 400


def test_the_walks_have_as_many_steps_as_params_say(rendered: Path) -> None:
    with Image.open(rendered / "pictures" / "interpolation.png") as picture:
        assert picture.width == 2 * 36 + 12 * (3 * 28 + 2) - 2


def test_a_family_that_can_be_asked_for_a_class_has_a_row_of_each_by_the_same_latents(
    inputs: Inputs, tmp_path: Path
) -> None:
    sampling.save(tmp_path / "cgan.npz", "cgan", families.find("cgan").build_sampled(MNIST, 0))
    run_in(tmp_path, replace(inputs, weights=tmp_path / "cgan.npz"))
    sampler = sampling.load(tmp_path / "cgan.npz", COUNTS)
    latents = sampling.latents(0, ASKED, sampler.latent_size)  # of train.grid_seed
    sevens = sampler.images(Ask(ASKED, latents=latents, classes=np.full(ASKED, 7, np.int32)))
    with Image.open(tmp_path / "pictures" / "asked.png") as picture:
        sheet = np.asarray(picture)
    height, pitch = 3 * 28, 3 * 28 + 2
    top = len(sheet) - 12 * 3 - 3 * pitch + 2
    row = sheet[top : top + height, -12 * 3 - ASKED * pitch + 2 : -12 * 3]
    assert np.array_equal(row[:, :height], sevens[0].repeat(3, axis=0).repeat(3, axis=1))
    assert np.array_equal(row[:, -height:], sevens[-1].repeat(3, axis=0).repeat(3, axis=1))


def test_a_family_with_pictures_of_its_own_has_them_beside_the_others(inputs: Inputs, tmp_path: Path) -> None:
    family = families.find("vae")
    sampling.save(tmp_path / "vae.npz", "vae", family.build_sampled(MNIST, 0))
    sampling.save(tmp_path / "encoder.npz", "vae", encoder(MNIST, 0))
    curves = tmp_path / "training.csv"
    curves.write_text("epoch,step," + ",".join(scalar.name for scalar in family.scalars) + "\n1,50,3,2,1,1\n")
    run_in(tmp_path, replace(inputs, weights=tmp_path / "vae.npz", parts=tmp_path, curves=curves))
    charts = {f"{chart.name}.png" for chart in family.charts()}
    assert {path.name for path in (tmp_path / "pictures").iterdir()} - PICTURES - charts == {"reconstructions.png"}
    first = arrays.load(inputs.test).images[9::10][5]  # the sixth 9
    with Image.open(tmp_path / "pictures" / "reconstructions.png") as picture:
        sheet = np.asarray(picture)[-12 * 3 - 3 * 28 : -12 * 3, -12 * 3 - 3 * (2 * 28) - 2 : -12 * 3]
    assert np.array_equal(sheet[:, : 3 * 28], first.repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ("weights", DataError, "no such file; the train stage writes it"),
        ("grids", DataError, "no such folder"),
        ("curves", DataError, "no such file"),
        ("evaluation", DataError, "no such file"),
        ("classes", DataError, "no such file"),
        ("test", DataError, "no such file"),
        ("rulers", RulerError, "no such file"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_written(
    inputs: Inputs, tmp_path: Path, option: str, error: type[MnistganError], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_in(tmp_path, replace(inputs, **{option: Path("none")}))
    assert not outs(tmp_path)


def test_weights_that_are_torn_are_said_and_nothing_is_written(inputs: Inputs, tmp_path: Path) -> None:
    torn = tmp_path / "torn.npz"
    torn.write_bytes(inputs.weights.read_bytes()[:1000])
    with pytest.raises(FormatError, match=r"torn\.npz: not a whole NPZ"):
        run_in(tmp_path, replace(inputs, weights=torn))
    assert not outs(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"samples": 1000}, r"different the number of samples \(1000 and 10000\)"),
        ({"latent_seed": None}, r"different the latents' seed \(outside and 1\)"),
        ({"pixels": "another"}, r"different the pixel ruler \("),
    ],
)
def test_an_evaluation_by_other_rulers_or_params_is_refused_with_both_sides_before_anything_is_drawn(
    inputs: Inputs, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    by = {"classifier": files.sha256(inputs.rulers / "classifier.npz"), "layers": classifier.LAYERS}
    by |= {"pixels": files.sha256(inputs.rulers / "pixels.npz"), "splits": ["a"], "samples": 10000, "latent_seed": 1}
    made = {**by, **changed}
    other = tmp_path / "evaluation.json"
    other.write_text(json.dumps({**EVALUATION, "samples": made["samples"], "pins": str(pins(**made))}))
    with pytest.raises(DataError, match=f"evaluation.json: not measured by .*{message}"):
        run_in(tmp_path, replace(inputs, evaluation=other))
    assert not outs(tmp_path)


def test_shares_of_another_evaluation_are_refused(inputs: Inputs, tmp_path: Path) -> None:
    other = tmp_path / "evaluation.json"
    report = json.loads(inputs.evaluation.read_text())
    other.write_text(json.dumps({**report, "classes": {"smallest_ratio": 0.88}}))
    with pytest.raises(DataError, match=r"classes\.csv: of another evaluation"):
        run_in(tmp_path, replace(inputs, evaluation=other))
