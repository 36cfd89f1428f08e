"""Pins name what a figure was measured by, and what differs."""

import pytest

from mnistgan.errors import PinsError
from mnistgan.rulers.pins import NAMES, Pins, check_same, pins

PARTS = {
    "classifier": "a" * 64,
    "layers": ("penultimate", "logits"),
    "pixels": "b" * 64,
    "splits": ("1" * 64, "2" * 64, "3" * 64),
    "samples": 10000,
    "latent_seed": 1,
}
OTHERS = [
    ("classifier", "c" * 64, "classifier"),
    ("layers", ("logits",), "classifier"),
    ("pixels", "d" * 64, "pixels"),
    ("splits", ("1" * 64, "2" * 64, "4" * 64), "splits"),
    ("splits", ("2" * 64, "1" * 64, "3" * 64), "splits"),
    ("samples", 5000, "samples"),
    ("latent_seed", 2, "latent_seed"),
    ("latent_seed", None, "latent_seed"),
]


def made(**changed: object) -> str:
    return str(pins(**{**PARTS, **changed}))  # type: ignore[arg-type]


def test_the_same_parts_give_the_same_pins() -> None:
    check_same(made(), made())


@pytest.mark.parametrize(("part", "value", "named"), OTHERS)
def test_each_part_changes_the_pins_and_is_named_alone(part: str, value: object, named: str) -> None:
    with pytest.raises(PinsError) as raised:
        check_same(made(), made(**{part: value}))
    assert [name for name, meaning in NAMES.items() if meaning in str(raised.value)] == [named]


def test_every_part_that_differs_is_named() -> None:
    with pytest.raises(PinsError, match=r"the pixel ruler .*the number of samples \(10000 and 2000\)"):
        check_same(made(), made(pixels="e" * 64, samples=2000))


def test_an_id_read_back_is_the_same_pins() -> None:
    assert Pins.parse(made()) == pins(**PARTS)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "3f2a1c", "a-b-c-d", "a-b-c-d-", "a-b-c-d-e-f"])
def test_text_that_is_no_pins_is_refused(text: str) -> None:
    with pytest.raises(PinsError, match="expected 5 parts"):
        Pins.parse(text)
