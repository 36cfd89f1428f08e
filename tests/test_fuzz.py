"""Whatever bytes a reader is given, it reads them or raises one of the project's own errors.

Each is given whole files with a few bytes changed, put in or cut away, which gets further than bytes at random, and the
same ones each time.
"""

import contextlib
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mnistgan import files, params
from mnistgan.comparison import seeds
from mnistgan.comparison.figures import Figures
from mnistgan.datasets import arrays, idx
from mnistgan.drawing import grids
from mnistgan.drawing.pictures import tables
from mnistgan.errors import MnistganError
from mnistgan.evaluation import outside, verdict
from mnistgan.metrics import looks
from mnistgan.rulers import cards
from mnistgan.rulers.pins import Pins, check_same
from pipeline.dvcfiles import dvc_lock
from pipeline.results import lookup, rules
from tests import committed

COUNT = 3
PINS = "3f2a1c-91be00-77aa42-1000-1"
DRAWN = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), np.uint8)

# NumPy, pandas and Pillow warn of much that they read all the same.
pytestmark = pytest.mark.filterwarnings("ignore")


def saved(save: Callable[[Any], object]) -> bytes:
    content = io.BytesIO()
    save(content)
    return content.getvalue()


def idx_of(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


LOOK = looks.Look(1, 100, 8.25, 1.5, 0.004, 0.0947, 0.83, 0, "", 0.91, 0.02)
REPORT = {
    "verdict": "healthy",
    "fid": {"value": 7.0, "low": 6.5, "high": 7.5, "floor": 0.5},
    "classes": {"divergence": 0.01, "expected": 0.0005, "smallest_class": 8},
    "samples": 1000,
    "pins": PINS,
}
THRESHOLDS = {"thresholds": {evidence.key: 0.5 for evidence in verdict.EVIDENCE}, "pins": PINS}
SEEDS = seeds.dumps(
    seeds.SeedRow("fast", "0a1b", seed, Figures.of({**REPORT, "samples": 1000 + seed}, "made up")) for seed in (0, 1)
)
RULES = "verdict: healthy\nfid: no worse than base by more than 25%\ncoverage: at least 0.88 of real\n"
LOCK = """schema: '2.0'
stages:
  train:
    cmd: exec python -m pipeline train --train data/train.npz
    deps: [{path: data/train.npz, hash: md5, md5: 0123456789abcdef0123456789abcdef, size: 3}]
    params: {params.yaml: {train: {seed: 0}}}
    outs: [{path: models, hash: md5, md5: 0123456789abcdef0123456789abcdef.dir, size: 3, nfiles: 1}]
"""
CURVES = "epoch,generator_loss,discriminator_loss,probability_real,probability_fake\n0.5,0.9,1.2,0.6,0.4\n"
GRID = grids.tile(np.resize(DRAWN, (256, 28, 28)), grids.TRAINING_SIDE)
CARD = {"sha256": "0" * 64}


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Calls a reader on a file of these bytes."""

    def call(content: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_bytes(content)
            return read(path)

    return call


def as_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda content: read(content.decode("utf-8", "replace"))


READERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "idx images": (idx_of(DRAWN), lambda content: idx.parse_images(content, "it")),
    "idx labels": (idx_of(np.arange(3, dtype=np.uint8)), lambda content: idx.parse_labels(content, "it")),
    "params": (
        committed.params().encode(),
        as_text(lambda text: params.parse(text, committed.recipes(), committed.datasets(), "params.yaml")),
    ),
    "recipes": (
        committed.recipes()["dcgan"].encode(),
        as_text(lambda text: params.parse(committed.params(), {"dcgan": text}, committed.datasets(), "params.yaml")),
    ),
    "rules": (RULES.encode(), in_file("gate.yaml", rules.read)),
    "lock": (LOCK.encode(), as_text(dvc_lock.parts_of)),
    "metrics, compared": (json.dumps(REPORT).encode(), in_file("it.json", lambda path: lookup.read(str(path)))),
    "metrics, drawn": (json.dumps(REPORT).encode(), in_file("it.json", tables.metrics)),
    "seeds": (SEEDS.encode(), in_file("it.csv", lambda path: lookup.read(str(path)))),
    "seeds' text": (SEEDS.encode(), as_text(lambda text: seeds.loads(text, "it"))),
    "looks": (looks.table([LOOK, LOOK]).encode(), as_text(looks.parse)),
    "curves": (CURVES.encode(), in_file("it.csv", tables.training)),
    "classes": (
        ("class,share,prior\n" + "".join(f"{digit},0.1,0.1\n" for digit in range(10))).encode(),
        in_file("it.csv", lambda path: tables.class_shares(path, 10)),
    ),
    "thresholds": (json.dumps(THRESHOLDS).encode(), in_file(verdict.FILE, lambda path: verdict.load(path.parent))),
    "card": (json.dumps(CARD).encode(), in_file("it.json", lambda path: cards.read(path.parent, "it"))),
    "pins": (PINS.encode(), as_text(Pins.parse)),
    "arrays": (
        saved(lambda file: np.savez(file, images=DRAWN, labels=np.arange(3, dtype=np.uint8))),
        in_file("it.npz", arrays.load),
    ),
    "samples, npy": (
        saved(lambda file: np.save(file, DRAWN)),
        in_file("it.npy", lambda path: outside.read(path, COUNT)),
    ),
    "samples, npz": (
        saved(lambda file: np.savez_compressed(file, DRAWN)),
        in_file("it.npz", lambda path: outside.read(path, COUNT)),
    ),
    "samples, png": (
        saved(lambda file: Image.fromarray(DRAWN[0]).save(file, "PNG")),
        in_file("it.png", lambda path: outside.read(path.parent, 1)),
    ),
    "grid": (saved(lambda file: Image.fromarray(GRID).save(file, "PNG")), in_file("it.png", grids.read)),
}
SHOT = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# What a format gives a meaning to, beside bytes at random.
TELLING = st.sampled_from(
    (
        *(b"", b"\0", b"\xff" * 4, b"\x7f\xff\xff\xff", b"-1", b"9" * 400, b"1e999", b"NaN", b"null", b"true"),
        *(
            b"[]",
            b"{}",
            b"[" * 200,
            b"(",
            b'"',
            b"'",
            b",",
            b"\n",
            b"\r",
            b"|O",
            b": ",
            b"&a [*a]",
            b"<<: *a",
            b"\xc3",
            b"9" * 5000,
        ),
        b"!!python/object/apply:os.system [true]",
    )
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes that were whole, after one to four cuts, each with something put in its place."""
    content = whole
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 1, 2, 4, 20, len(content)]))
        content = content[:start] + draw(TELLING | st.binary(max_size=6)) + content[start + length :]
    return content


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_by_an_error_of_the_projects_own(name: str) -> None:
    whole, read = READERS[name]

    @SHOT
    @given(damaged(whole))
    def check(content: bytes) -> None:
        with contextlib.suppress(MnistganError):
            read(content)

    check()


@pytest.mark.parametrize("name", [name for name in READERS if name not in {"card", "pins"}])
def test_what_the_fuzzed_files_are_made_from_is_read(name: str) -> None:
    whole, read = READERS[name]
    assert read(whole) is not None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**400, -(10**400)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "floor", "low", "high", "real", "digit"]), inner, max_size=4)
    ),
    max_leaves=8,
)
SECTIONS = st.dictionaries(
    st.sampled_from(["fid", "kid", "classes", "coverage", "samples", "pins", "verdict", "thresholds", "x"]),
    JSON | st.just(PINS) | st.just(1000),
)


@SHOT
@given(SECTIONS | JSON)
def test_any_json_is_metrics_or_refused(document: Any) -> None:
    content = json.dumps(document).encode()
    for name in ("metrics, compared", "metrics, drawn", "thresholds", "card"):
        with contextlib.suppress(MnistganError):
            READERS[name][1](content)


@SHOT
@given(st.dictionaries(st.sampled_from([evidence.key for evidence in verdict.EVIDENCE]), JSON | st.floats(0, 1)))
def test_any_thresholds_are_all_finite_numbers_or_refused(limits: dict[str, Any]) -> None:
    try:
        found: Any = READERS["thresholds"][1](json.dumps({"thresholds": limits, "pins": PINS}).encode())
    except MnistganError:
        return
    assert all(np.isfinite(limit) for limit in found.limits.values())
    assert len(found.limits) == len(verdict.EVIDENCE)


@SHOT
@given(st.text(), st.text() | st.just(PINS))
def test_any_text_is_pins_or_refused(one: str, other: str) -> None:
    with contextlib.suppress(MnistganError):
        check_same(one, other)


@SHOT
@given(st.lists(st.lists(st.sampled_from([*looks.COLUMNS, "1", "-1", "x", "", "1e400", '"'])), max_size=4))
def test_any_table_is_looks_or_refused(rows: list[list[str]]) -> None:
    with contextlib.suppress(MnistganError):
        looks.parse("\n".join(",".join(row) for row in rows))


def test_json_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "it.json").write_text("[" * 200_000)
    with pytest.raises(MnistganError, match="not JSON"):
        files.read_json(tmp_path / "it.json")
    with pytest.raises(MnistganError, match="not JSON"):
        lookup.read(str(tmp_path / "it.json"))
