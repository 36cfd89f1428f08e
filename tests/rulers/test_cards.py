"""A ruler is what its card says, or it measures nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from mnistgan.errors import RulerError
from mnistgan.rulers import cards

ARRAYS = {"kernel": np.ones((2, 3), np.float32)}


def test_a_saved_ruler_reads_back_with_its_card(tmp_path: Path) -> None:
    digest = cards.save(tmp_path, "one", ARRAYS, {"what": "a test"})
    arrays, card = cards.read(tmp_path, "one")
    assert np.array_equal(arrays["kernel"], ARRAYS["kernel"])
    assert card == {"sha256": digest, "what": "a test"}


@pytest.mark.parametrize("position", [0, 100, -1])
def test_a_flipped_bit_is_refused_with_the_file_the_expected_and_the_got_digest(tmp_path: Path, position: int) -> None:
    expected = cards.save(tmp_path, "one", ARRAYS, {})
    content = bytearray((tmp_path / "one.npz").read_bytes())
    content[position] ^= 1
    (tmp_path / "one.npz").write_bytes(content)
    got = cards.files.sha256(tmp_path / "one.npz")
    with pytest.raises(RulerError) as raised:
        cards.read(tmp_path, "one")
    assert all(part in str(raised.value) for part in (str(tmp_path / "one.npz"), expected, got))


def test_the_digest_is_checked_before_the_arrays_are_parsed(tmp_path: Path) -> None:
    cards.save(tmp_path, "one", ARRAYS, {})
    (tmp_path / "one.npz").write_bytes(b"no NPZ at all")
    with pytest.raises(RulerError, match="its card says"):
        cards.read(tmp_path, "one")


@pytest.mark.parametrize("name", ["one.npz", "one.json"])
def test_a_missing_file_is_named_with_the_way_to_mend_it(tmp_path: Path, name: str) -> None:
    cards.save(tmp_path, "one", ARRAYS, {})
    (tmp_path / name).unlink()
    with pytest.raises(RulerError, match=rf"{name}: no such file; restore pretrained/ from git"):
        cards.read(tmp_path, "one")


@pytest.mark.parametrize("card", [{}, {"sha256": None}, []])
def test_a_card_without_a_digest_is_refused(tmp_path: Path, card: object) -> None:
    cards.save(tmp_path, "one", ARRAYS, {})
    (tmp_path / "one.json").write_text(json.dumps(card))
    with pytest.raises(RulerError, match="holds no 'sha256'"):
        cards.read(tmp_path, "one")


def test_a_torn_card_is_refused(tmp_path: Path) -> None:
    cards.save(tmp_path, "one", ARRAYS, {})
    (tmp_path / "one.json").write_text("{")
    with pytest.raises(RulerError, match=r"one\.json: not JSON.*; restore pretrained/ from git"):
        cards.read(tmp_path, "one")


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"kernel": (2, 3), "bias": (3,)}, "holds kernel; expected bias, kernel"),
        ({"kernel": (3, 2)}, r"kernel is float32 \[2, 3\]; expected float32 \[3, 2\]"),
    ],
)
def test_arrays_of_other_names_or_shapes_are_refused(shapes: dict, message: str) -> None:
    with pytest.raises(RulerError, match=message):
        cards.demand(ARRAYS, shapes, "the ruler")


def test_arrays_of_another_dtype_are_refused() -> None:
    with pytest.raises(RulerError, match="kernel is float64"):
        cards.demand({"kernel": np.ones((2, 3))}, {"kernel": (2, 3)}, "the ruler")
