"""Every stage fed each of its deps bad: one message that names the file, exit 2, the outs of before as they were."""

import io
import json
import os
import pickle
import shutil
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistgan import files
from mnistgan.datasets import arrays
from mnistgan.datasets.arrays import Images
from mnistgan.drawing import grids
from mnistgan.families import sampling
from mnistgan.families.dcgan.networks import Discriminator, generator
from mnistgan.rulers import cards, classifier, pixels
from pipeline.__main__ import main
from pipeline.dvcfiles import dvc_yaml
from pipeline.results import consistency
from tests import committed
from tests.fitted import lay_out_rulers

ROOT = Path(__file__).resolve().parents[2]
UNPICKLED = Path("unpickled")
BEFORE = b"from before"
HELD = {"models/parts": "discriminator.npz", "models/grids": "epoch_0000.png"}  # by folder; others hold a picture

Damage = Callable[[Path], None]


class Trap:
    """What a reader that unpickles it is told by: a file appears."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (UNPICKLED,)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with every dep of every stage as it should be, and all outs of an earlier run."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / ".dvc").mkdir()
    for name in ("src", "pipeline", "dvc.yaml", ".dvcignore"):
        (folder / name).symlink_to(ROOT / name)
    committed.lay_out_params(folder, committed.params().replace("samples: 10000", "samples: 1000"))
    for out in dvc_yaml.outs(folder):
        files.write_bytes(folder / out if (folder / out).suffix else folder / out / HELD.get(out, "old.png"), BEFORE)
    draw, splits = np.random.default_rng(0), {}
    for part, count in (("train", 128), ("validation", 1000), ("test", 1000)):
        images = draw.integers(0, 256, (count, 28, 28), np.uint8)
        splits[part] = Images(images, np.resize(np.arange(10, dtype=np.uint8), count))
        arrays.save(folder / f"data/{part}.npz", splits[part])
    lay_out_rulers(folder / "pretrained" / "mnist", **splits)
    sampling.save(folder / "models/final.npz", "dcgan", generator(0))
    sampling.save(folder / "models/parts/discriminator.npz", "dcgan", Discriminator(0, 0.0, 10))
    grid = grids.tile(draw.integers(0, 256, (256, 28, 28), np.uint8), 16)
    Image.fromarray(grid).save(folder / "models/grids/epoch_0000.png")
    header = "epoch,step,generator_loss,discriminator_loss,probability_real,probability_fake"
    (folder / "metrics/training.csv").write_text(f"{header}\n0.5,50,0.9,1.2,0.6,0.4\n1,100,0.9,1.2,0.6,0.4\n")
    (folder / "metrics/classes.csv").write_text("class,share,prior\n" + "".join(f"{d},0.1,0.1\n" for d in range(10)))
    by = {name: cards.read(folder / "pretrained" / "mnist", name)[1] for name in consistency.RULERS}
    evaluated = {"samples": 1000, "pins": consistency.pins_of(by, {"samples": 1000, "latent_seed": 1})}
    files.write_json(folder / "metrics/evaluation.json", {"fid": {"value": 7.0, "floor": 0.5}, **evaluated})
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of data, models, metrics, plots and pictures, left-overs included, by its path."""
    places = ("data", "models", "metrics", "plots", "pictures")
    found = (path for place in places for path in (folder / place).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def workspace(whole: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A copy of it, the current folder."""
    here = tmp_path / "workspace"
    shutil.copytree(whole, here, symlinks=True)
    monkeypatch.chdir(here)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MNISTGAN_TRACKING", "off")
    yield here
    assert not UNPICKLED.exists()


def refusal(stage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a stage as dvc.yaml does; its error, once all that must hold of any has been looked at."""
    before = contents(Path())
    words = [word for name, path in dvc_yaml.options(stage).items() for word in (f"--{name}", str(path))]
    monkeypatch.setattr(sys, "argv", ["python -m pipeline", stage, *words])
    with pytest.raises(SystemExit) as raised:
        main()
    said = capsys.readouterr()
    assert raised.value.code == 2
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.count("error: ") == 1
    assert not {line.split(":")[0] for line in said.err.splitlines()} & {"samples", "features of test", "train"}
    assert contents(Path()) == before
    return said.err[said.err.index("error: ") :]


def missing(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def folder(path: Path) -> None:
    missing(path)
    path.mkdir()


def pipe(path: Path) -> None:
    missing(path)
    os.mkfifo(path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def text(written: str) -> Damage:
    return lambda path: path.write_text(written, "utf-8")


def other(name: str) -> Damage:
    return lambda path: shutil.copy(name, path)


def npz(**held: object) -> Damage:
    return lambda path: np.savez(path, **held)  # type: ignore[arg-type]


def one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros((10, 28, 28), np.uint8))


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(Trap()))


def pickled_member(*names: str) -> Damage:
    """Damages an NPZ so that the arrays of these names are pickles."""

    def damage(path: Path) -> None:
        with np.load(path) as held:
            whole = dict(held)
        np.savez(path, **{**whole, **{name: np.array([Trap()], object) for name in names}})

    return damage


def no_array(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images", "no array")
        archive.writestr("labels", "no array")


def bomb(path: Path) -> None:
    np.savez_compressed(path, images=np.zeros((100_000, 28, 28), np.uint8), labels=np.zeros(100_000, np.uint8))


def endless(path: Path) -> None:
    """A member whose header promises 10^15 images."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000, 28, 28), }".ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)


IMAGES, LABELS = np.zeros((10, 28, 28), np.uint8), np.zeros(10, np.uint8)
NO_SPLIT: dict[str, tuple[Damage, str]] = {
    "missing": (missing, "no such file"),
    "empty": (empty, "not a whole NPZ"),
    "torn": (torn, "not a whole NPZ"),
    "pickle": (pickled, "not a whole NPZ of plain arrays"),
    "other arrays": (other("models/final.npz"), "holds the arrays ['conv14/kernel'"),
    "other shape": (npz(images=np.zeros((10, 32, 32), np.uint8), labels=LABELS), "should be uint8 [N, 28, 28]"),
}
NO_SPLIT_EITHER: dict[str, tuple[Damage, str]] = {
    "folder": (folder, "is a folder"),
    "pickled member": (pickled_member("images", "labels"), "not a whole NPZ of plain arrays"),
    "one array": (one_array, "not a whole NPZ"),
    "no array": (no_array, "images is no array"),
    "bomb": (bomb, "unpacks to 78,500,256 bytes, more than the"),
    "endless": (endless, "not a whole NPZ"),
    "other dtype": (npz(images=IMAGES / 255, labels=LABELS), "images are float64 [10, 28, 28]; should be uint8"),
    "fewer labels": (npz(images=IMAGES, labels=LABELS[1:]), "10 images, but 9 labels"),
    "no images": (npz(images=IMAGES[:0], labels=LABELS[:0]), "holds no images"),
    "label out of range": (npz(images=IMAGES, labels=LABELS + 10), "holds the label 10; labels are 0 to 9"),
}
SPLITS = (
    ("train", "data/train.npz", NO_SPLIT | NO_SPLIT_EITHER),
    ("train", "data/validation.npz", NO_SPLIT),
    ("evaluate", "data/train.npz", NO_SPLIT),
    ("evaluate", "data/validation.npz", NO_SPLIT),
    ("evaluate", "data/test.npz", NO_SPLIT),
    ("render", "data/test.npz", NO_SPLIT),
)


@pytest.mark.parametrize(
    ("stage", "path", "damage", "message"),
    [
        pytest.param(stage, path, damage, message, id=f"{stage}-{path}-{name}")
        for stage, path, damages in SPLITS
        for name, (damage, message) in damages.items()
    ],
)
def test_images_that_are_no_split_are_refused_by_name_with_the_stage_that_makes_them(
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    path: str,
    damage: Damage,
    message: str,
) -> None:
    damage(Path(path))
    error = refusal(stage, monkeypatch, capsys)
    assert error.startswith(f"error: {path}: ")
    assert message in error
    assert error.endswith("; `dvc repro prepare` makes it anew\n")


def few(count: int, digits: int = 10) -> Damage:
    return lambda path: arrays.save(
        path, Images(np.zeros((count, 28, 28), np.uint8), np.resize(np.arange(digits, dtype=np.uint8), count))
    )


@pytest.mark.parametrize(
    ("stage", "path", "damage", "message"),
    [
        ("train", "data/train.npz", few(20, digits=9), "no sample of class 9; expected all of 0..9"),
        ("train", "data/validation.npz", few(1), "validation: got 1 samples"),
        ("train", "data/validation.npz", few(500), "expected 100 or more"),
        ("evaluate", "data/train.npz", few(20, digits=9), "no sample of class 9; expected all of 0..9"),
        ("evaluate", "data/validation.npz", few(999), "999 images; needs 1000, the `evaluate.samples` of params.yaml"),
        ("evaluate", "data/test.npz", few(10), "10 images; needs 1000, the `evaluate.samples` of params.yaml"),
    ],
)
def test_a_split_that_can_not_be_measured_by_is_refused_before_anything_is_trained_or_drawn(
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    path: str,
    damage: Damage,
    message: str,
) -> None:
    damage(Path(path))
    monkeypatch.setattr(cards, "demand_data", lambda *_: None)  # by which they would be told to be of other data
    recipes = Path("recipes/dcgan.yaml")
    small = recipes.read_text("utf-8").replace("images: train", "images: 16")
    recipes.write_text(small.replace("batch_size: 64", "batch_size: 16"), "utf-8")
    error = refusal(stage, monkeypatch, capsys)
    assert path in error.partition(": ")[2].partition(": ")[0]
    assert message in error
    assert error.endswith("; `dvc repro prepare` makes it anew\n")


def kind(name: str) -> Damage:
    def damage(path: Path) -> None:
        files.write_arrays(path, {**files.read_arrays(path), "kind": np.array(name)})

    return damage


def weight(change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    def damage(path: Path) -> None:
        held = files.read_arrays(path)
        name = next(name for name in held if name.endswith("/kernel"))
        files.write_arrays(path, {**held, name: change(held[name])})

    return damage


def too_large(path: Path) -> None:
    held = files.read_arrays(path)
    files.write_arrays(path, {name: held[name] if name == "kind" else held[name] * np.float32(1e30) for name in held})


NO_GENERATOR: dict[str, tuple[Damage, str]] = {
    "missing": (missing, "no such file"),
    "empty": (empty, "not a whole NPZ"),
    "torn": (torn, "not a whole NPZ"),
    "pickle": (pickled, "not a whole NPZ of plain arrays: begins with "),
    "pickled kind": (pickled_member("kind"), "not a whole NPZ of plain arrays: holds Python objects, which are never"),
    "other kind": (kind("vea"), "is of family 'vea'; takes one of: "),
    "no kind": (other("pretrained/mnist/classifier.npz"), "is of family ''; takes one of: "),
    "discriminator": (other("models/parts/discriminator.npz"), "lacks "),
    "other shape": (weight(lambda array: array[:-1]), "has shape"),
    "other dtype": (weight(lambda array: array.astype(np.float64)), "holds float64; takes finite float32"),
    "NaN": (weight(lambda array: array * np.float32(np.nan)), "takes finite float32"),
    "too large": (too_large, "draws NaN or infinite pixels"),
    "pipe": (pipe, "can't be read: is a pipe, no plain file"),
}


@pytest.mark.parametrize(
    ("stage", "case"),
    [
        *(("evaluate", case) for case in NO_GENERATOR),
        *(("render", case) for case in ("missing", "torn", "pipe", "too large")),
    ],
)
def test_weights_that_are_no_generators_are_refused_before_anything_is_drawn(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: str, case: str
) -> None:
    damage, message = NO_GENERATOR[case]
    damage(Path("models/final.npz"))
    error = refusal(stage, monkeypatch, capsys)
    assert error.startswith("error: models/final.npz: ")
    assert message in error
    assert error.endswith("; `dvc repro train` makes it anew\n")


def swapped(path: Path) -> None:
    """The pixel ruler, arrays and card, under the classifier's name."""
    for suffix in (".npz", ".json"):
        shutil.copy(path.with_name(f"{pixels.NAME}{suffix}"), path.with_name(f"{classifier.NAME}{suffix}"))


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def pickled_with_its_card(path: Path) -> None:
    """A classifier of pickles, whose card has the right digest."""
    pickled_member("logits/bias")(path)
    card = cards.card_path(path.parent, classifier.NAME)
    files.write_json(card, {**files.read_json(card), cards.DIGEST: files.sha256(path)})


NO_RULER_EITHER = ("folder missing", "torn", "swapped", "card torn")  # which is tried by every stage that has rulers
NO_RULER: dict[str, tuple[str, Damage, str]] = {
    "missing": ("classifier.npz", missing, "no such file"),
    "folder missing": (".", missing, "no such file"),
    "torn": ("classifier.npz", torn, "its card says"),
    "flipped": ("classifier.npz", flipped, "its card says"),
    "swapped": ("classifier.npz", swapped, "holds components, mean; expected conv_1/bias"),
    "pickled": ("classifier.npz", pickled_with_its_card, "not a whole NPZ of plain arrays"),
    "card missing": ("classifier.json", missing, "no such file"),
    "card empty": ("classifier.json", empty, "not JSON"),
    "card torn": ("classifier.json", torn, "not JSON"),
    "card of another shape": ("classifier.json", text("[]"), "holds no 'sha256'"),
    "card without end": ("classifier.json", text("[" * 100_000), "not JSON"),
    "card is a folder": ("classifier.json", folder, "is a folder, no plain file"),
    "pipe": ("classifier.npz", pipe, "is a pipe, no plain file"),
}


@pytest.mark.parametrize(
    ("stage", "case"),
    [*(("evaluate", case) for case in NO_RULER), *((s, c) for s in ("train", "render") for c in NO_RULER_EITHER)],
)
def test_a_ruler_that_is_not_the_pinned_one_is_refused_with_where_to_get_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: str, case: str
) -> None:
    name, damage, message = NO_RULER[case]
    damage(Path("pretrained", "mnist", name))
    error = refusal(stage, monkeypatch, capsys)
    assert error.startswith("error: pretrained/mnist" if name == "." else f"error: pretrained/mnist/{name}: ")
    assert message in error
    assert "restore pretrained/ from git" in error


def threshold(value: str) -> Damage:
    def damage(path: Path) -> None:
        content = json.loads(path.read_text("utf-8"))
        limits = ", ".join(f'"{key}": {value}' for key in content["thresholds"])
        path.write_text(f'{{"thresholds": {{{limits}}}, "pins": "{content["pins"]}"}}', "utf-8")

    return damage


def without_pins(path: Path) -> None:
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({"thresholds": content["thresholds"]}), "utf-8")


NO_THRESHOLDS: dict[str, tuple[Damage, str]] = {
    "without pins": (without_pins, "says not by which rulers its thresholds were set"),
    "missing": (missing, "no such file"),
    "empty": (empty, "not JSON"),
    "torn": (torn, "not JSON"),
    "a list": (text("[]"), "holds thresholds of nothing"),
    "no mapping": (text('{"thresholds": 3}'), "holds thresholds of nothing"),
    "others": (text('{"thresholds": {"fid.value": 3}}'), "holds thresholds of fid.value"),
    "text": (threshold('"high"'), "is 'high', no finite number"),
    "null": (threshold("null"), "is None, no finite number"),
    "NaN": (threshold("NaN"), "is nan, no finite number"),
    "without end": (threshold("1" * 1000), "no finite number"),
}


@pytest.mark.parametrize("case", NO_THRESHOLDS)
def test_thresholds_that_are_none_are_refused_before_anything_is_measured(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    damage, message = NO_THRESHOLDS[case]
    damage(Path("pretrained/mnist/controls.json"))
    error = refusal("evaluate", monkeypatch, capsys)
    assert error.startswith("error: pretrained/mnist/controls.json: ")
    assert message in error
    assert "restore pretrained/ from git" in error


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *more: bytes) -> Damage:
    """A PNG whose header promises so many pixels, grey, and which has no more than these chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IEND", b""))


TEXT_BOMB = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(16 * 1024**2)))


def without_grids(path: Path) -> None:
    path.unlink()
    (path.parent / "notes.txt").write_text("no grid")


GRID, CURVES, CLASSES, EVALUATION = (
    "models/grids/epoch_0000.png",
    "metrics/training.csv",
    "metrics/classes.csv",
    "metrics/evaluation.json",
)
DIGITS = "".join(f"{digit},0.1,0.1\n" for digit in range(10))
NOT_DRAWN: tuple[tuple[str, str, Damage, str], ...] = (
    ("no folder", "models/grids", missing, "no such folder"),
    ("no grid", GRID, without_grids, "holds no epoch_NNNN.png"),
    ("no picture", GRID, text("no picture"), "not a whole PNG"),
    ("empty grid", GRID, empty, "not a whole PNG"),
    ("torn grid", GRID, torn, "not a whole PNG"),
    ("other size", GRID, png(28, 28), "28 x 28 pixels; a grid has 448 x 448"),
    ("pixel bomb", GRID, png(60_000, 60_000), "not a whole PNG"),
    ("text bomb", GRID, png(448, 448, TEXT_BOMB), "not a whole PNG"),
    ("no curves", CURVES, missing, "no such file"),
    ("empty curves", CURVES, empty, "not a CSV"),
    ("binary curves", CURVES, other("models/final.npz"), "not a CSV"),
    ("other curves", CURVES, text("step,loss\n1,2\n"), "lacks the columns"),
    ("torn curves", CURVES, torn, "lacks the columns ['probability_fake']"),
    ("a torn row", CURVES, text("epoch,generator_loss,discriminator_loss,probability_real,probability_fake\n1,2,3"),
     "holds a NaN"),
    ("curves of words", CURVES, text("epoch,generator_loss,discriminator_loss,probability_real,probability_fake\n"
                                     "a,b,c,d,e\n"), "holds what is no number"),
    ("no classes", CLASSES, missing, "no such file"),
    ("empty classes", CLASSES, empty, "not a CSV"),
    ("nine classes", CLASSES, text("class,share,prior\n" + DIGITS[:-10]), "should be 0 to 9 in order"),
    ("huge classes", CLASSES, text("class,share,prior\n" + DIGITS.replace("0.1", "1" * 400)), "no number"),
    ("no metrics", EVALUATION, missing, "no such file"),
    ("empty metrics", EVALUATION, empty, "not JSON"),
    ("torn metrics", EVALUATION, torn, "not JSON"),
    ("metrics without end", EVALUATION, text('{"a":' * 50_000), "not JSON"),
    ("a list", EVALUATION, text("[]"), "samples is None"),
    ("other metrics", EVALUATION, text('{"samples": 10, "loss": 3}'), "holds none of the metrics"),
    ("no samples", EVALUATION, text('{"samples": true}'), "samples is True"),
    ("a figure of words", EVALUATION, text('{"samples": 10, "fid": {"value": "low", "floor": 1}}'), "fid.value is"),
    ("a bare figure", EVALUATION, text('{"samples": 10, "fid": 3}'), "holds none of the metrics"),
    ("half a figure", EVALUATION, text('{"samples": 10, "fid": {"value": 3}}'), "holds none of the metrics"),
    ("NaN", EVALUATION, text('{"samples": 10, "fid": {"value": NaN, "floor": 1}}'), "fid.value is nan"),
    ("no interval", EVALUATION, text('{"samples": 9, "fid": {"value": 3, "floor": 1, "low": [], "high": 4}}'), "low"),
)  # fmt: skip


@pytest.mark.parametrize(("path", "damage", "message"), [case[1:] for case in NOT_DRAWN], ids=[c[0] for c in NOT_DRAWN])
def test_what_can_not_be_drawn_is_refused_by_name_with_the_stage_that_makes_it(
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
    damage: Damage,
    message: str,
) -> None:
    damage(Path(path))
    error = refusal("render", monkeypatch, capsys)
    assert error.startswith(f"error: {Path(path).parent if damage is without_grids else path}: ")
    assert message in error
    maker = "evaluate" if path in (CLASSES, EVALUATION) else "train"
    assert error.endswith(f"; `dvc repro {maker}` makes it anew\n")


RAW = "train-images-idx3-ubyte"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (RAW, b"", "truncated: 0 bytes"),
        (RAW, b"\0\0\x08\x03" + struct.pack(">III", 60_000, 28, 28), "truncated: 16 bytes"),
        (RAW, b"\0\0\x08\x03" + struct.pack(">III", 1, 32, 32) + bytes(1024), "images of 32x32 pixels"),
        (RAW, pickle.dumps(Trap()), "not an IDX file"),
        (f"{RAW}.gz", b"", "an empty file"),
        (f"{RAW}.gz", pickle.dumps(Trap()), "not gzip data"),
        ("other", b"", f"holds neither {RAW} nor {RAW}.gz"),
    ],
)
def test_raw_files_that_are_not_mnists_leave_the_splits_of_before(
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes,
    message: str,
) -> None:
    monkeypatch.setenv("MNISTGAN_CACHE_DIR", str(workspace / "cache"))
    committed.lay_out_sources(Path(), "folder:raw")
    files.write_bytes(Path("raw", name), content)
    error = refusal("prepare", monkeypatch, capsys)
    assert error.startswith(f"error: no source gave {RAW}")
    assert message in error
    assert "put one that this machine can reach under prepare.sources in params.yaml" in error


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("held", ["pickle", "objects"])
def test_images_from_outside_that_are_pickles_are_refused_unread(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], suffix: str, held: str
) -> None:
    path = Path(f"samples{suffix}")
    objects = io.BytesIO()
    trapped = np.array([Trap()] * 1000, object)
    (np.save if suffix == ".npy" else np.savez)(objects, trapped)
    path.write_bytes(pickle.dumps(Trap()) if held == "pickle" else objects.getvalue())
    options = {name: str(place) for name, place in dvc_yaml.options("evaluate").items()}
    options["samples"] = str(path)
    del options["weights"]
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    monkeypatch.setattr(sys, "argv", ["python -m pipeline", "evaluate", *words])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 2
    assert f"error: {path}" in capsys.readouterr().err
