"""A metric sees what stands further from real images than chance has it."""

import pytest

from mnistgan.evaluation.sensitivity import METRICS, Sensitivity, spreads

REAL = dict.fromkeys(METRICS, 1.0)
SPREAD = dict.fromkeys(METRICS, 0.1)


def test_five_spreads_on_either_side_are_seen_and_less_is_not() -> None:
    sensitivity = Sensitivity(REAL, SPREAD)
    assert sensitivity.sees("recall.value", 1.51)
    assert sensitivity.sees("recall.value", 0.49)
    assert not sensitivity.sees("recall.value", 1.49)
    assert sensitivity.seen_by(REAL | {"recall.value": 0.0}) == ["recall.value"]
    assert sensitivity.seen_by(REAL) == []


def test_the_smallest_dose_is_the_one_from_which_on_all_are_seen() -> None:
    sensitivity = Sensitivity(REAL, SPREAD)

    def smallest(*values: float) -> str | None:
        rows = zip(("0.01", "0.05", "0.2", "0.5"), values, strict=True)
        return sensitivity.smallest_dose("recall.value", {dose: REAL | {"recall.value": value} for dose, value in rows})

    assert smallest(1, 2, 3, 4) == "0.05"
    assert smallest(2, 1, 3, 4) == "0.2"  # the first was chance
    assert smallest(1, 1, 1, 1) is None
    assert smallest(2, 2, 2, 1) is None


def test_the_spread_is_the_deviation_over_sets_and_that_of_copies_their_own_interval() -> None:
    def report(value: float) -> dict[str, dict[str, float]]:
        made: dict[str, dict[str, float]] = {}
        for name in METRICS:
            section, figure = name.split(".")
            made.setdefault(section, {"copied_low": -0.04, "copied_high": 0.04})[figure] = value
        return made

    found = spreads(report(0), [report(1), report(3)])
    assert found["fid.relative"] == pytest.approx(2**0.5, rel=1e-5)
    assert found["novelty_pixels.copied"] == pytest.approx(0.02)
