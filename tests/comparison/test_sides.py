"""When two records contradict each other, or were not measured alike: no difference between them is one."""

import re
from dataclasses import replace
from typing import Any

import pytest

from mnistgan.comparison.sides import (
    Side,
    Trained,
    are_identical,
    contradiction,
    distinct,
    measured_by_others,
    measured_otherwise,
)
from tests.comparison.made_up import COLLAPSED, figures, seeds_around

MEASURING = {"pipeline/commands/evaluate.py": "e0", "pretrained": "r0", "evaluate.samples": "10000"}
RECORDED = Trained("A", figures(27.0), "w0", MEASURING, "trained once")


def alone(trained: Trained) -> Side:
    return Side(trained.name, (trained,))


def beside(**changed: Any) -> str | None:
    return measured_otherwise(alone(RECORDED), alone(replace(RECORDED, name="B", **changed)))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"figures": figures(59.4)}, "the same weights, other figures: fid 27 → 59.4"),
        ({"figures": figures(27.0, precision={"value": 0.9})}, "other figures: precision 0.76 → 0.9"),
        ({"figures": figures(27.0, kid=None)}, "other figures: kid 14.9 → missing"),
        (
            {"figures": figures(59.4), "measuring": MEASURING | {"pipeline/commands/evaluate.py": "e1"}},
            "fid 27 → 59.4, by other measuring: pipeline/commands/evaluate.py",
        ),
        (
            {"measuring": MEASURING | {"pretrained": "r1"}},
            "the same weights and figures, by other measuring: pretrained",
        ),
        ({"measuring": None}, "the same weights and figures, measured by what B does not record"),
        ({"figures": figures(27.0, verdict="unsure")}, "the same figures, other verdicts: healthy → unsure"),
        ({"weights": "w1", "training": None}, "the same figures under other weights: one of A and B was not measured"),
        ({"weights": "w1", "figures": figures(26.0)}, "the same training .* with other weights, in A and B"),
        (
            {"weights": "w1", "training": None, "figures": figures(26.0, coverage={"real": 0.5})},
            "real images get another coverage.real under the same pins: 0.95 in A, 0.5 in B",
        ),
    ],
)
def test_what_no_change_of_a_training_explains_is_told(changed: dict[str, Any], said: str) -> None:
    assert re.search(said, beside(**changed) or "nothing")
    assert not are_identical(alone(RECORDED), alone(replace(RECORDED, **changed)))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"weights": "w1", "training": "another", "figures": figures(26.0)},
        {
            "weights": "w1",
            "training": None,
            "figures": figures(26.0),
            "measuring": {"pipeline/commands/evaluate.py": "e1"},
        },
        {"weights": None, "figures": figures(26.0), "measuring": None, "training": None},
        {"weights": None, "measuring": None, "training": None},
        {"weights": "w1", "training": None, "figures": figures(26.0, coverage={"real": 0.9501})},
    ],
    ids=["the same", "trained anew", "by other code too", "a file alone", "the same in a file", "another processor's"],
)
def test_what_may_well_be_is_no_contradiction(changed: dict[str, Any]) -> None:
    assert beside(**changed) is None


def test_other_code_that_measured_is_told_beside_other_weights_and_no_contradiction_beside_the_same() -> None:
    changed = MEASURING | {"pretrained": "r1", "src/mnistgan/families/dcgan": "m1", "recipe.images": "10000"}
    for weights in ("w0", "w1"):
        other = alone(replace(RECORDED, weights=weights, training=None, measuring=changed))
        assert measured_by_others(alone(RECORDED), other) == "measured by other code: pretrained"
    assert contradiction(alone(RECORDED), alone(replace(RECORDED, measuring=changed))) is None
    touched = {name: value for name, value in changed.items() if name != "pretrained"}
    for measuring in (None, touched | {"pretrained": "r0"}):
        assert measured_by_others(alone(RECORDED), alone(replace(RECORDED, measuring=measuring))) is None


def test_two_seeds_that_collapsed_to_the_same_picture_are_two_and_contradict_nothing() -> None:
    black = [Trained(f"seed {i}", figures(400.0, verdict=COLLAPSED), f"w{i}") for i in range(2)]
    assert measured_otherwise(*map(alone, black)) is None
    assert not are_identical(*map(alone, black))
    assert are_identical(alone(black[0]), alone(black[0]))
    both = Side("both", (*black, black[0]))
    assert distinct(both)[0].members == tuple(black)


def test_one_member_of_a_group_is_enough_and_so_are_two_of_one_side() -> None:
    a = Side("a", tuple(Trained(f"a{i}", figures(fid), f"w{i}") for i, fid in enumerate(seeds_around(27, 3))))
    b = Side("b", tuple(Trained(f"b{i}", figures(fid), f"v{i}") for i, fid in enumerate(seeds_around(30, 3))))
    assert measured_otherwise(a, b) is None
    again = Trained("b3", figures(59.4), "w1")
    assert "the same weights, other figures" in (measured_otherwise(a, Side("b", (*b.members, again))) or "")
    assert "the same weights, other figures" in (measured_otherwise(Side("a", (*a.members, again)), b) or "")


def test_a_group_and_its_copy_in_another_order_are_identical() -> None:
    a = Side("a", tuple(Trained(f"a{i}", figures(fid), f"w{i}") for i, fid in enumerate(seeds_around(27, 3))))
    assert are_identical(a, Side("b", a.members[::-1]))
    doubled = Side("a, twice", (*a.members, *a.members))
    assert are_identical(a, doubled)
    assert distinct(doubled)[0].members == a.members
