import math

import pytest

from mnistgan.comparison.seeds import SeedRow, dumps, loads, recipe_digest, spread_of
from mnistgan.errors import FormatError
from mnistgan.metrics.catalog import KNOWN, PRIMARY
from tests.comparison.made_up import COLLAPSED, PINS, STEPS, figures, rows

KNOBS = {"epochs": 5, "learning_rate": 0.001}


def test_rows_come_back_as_they_were_written() -> None:
    made = [*rows(), SeedRow("fast", "recipe-a", 9, figures(99.0, verdict=COLLAPSED, kid={"value": math.nan}))]
    back = loads(dumps(made), "seeds.csv")
    assert [row.figures.signature for row in back] == [row.figures.signature for row in made]
    assert [(row.recipe, row.digest, row.seed, row.figures.verdict, row.figures.pins) for row in back] == [
        (row.recipe, row.digest, row.seed, row.figures.verdict, PINS) for row in made
    ]


def test_the_same_rows_in_another_order_give_the_same_bytes() -> None:
    assert dumps(rows()) == dumps(reversed(rows()))


def test_a_figure_that_one_seed_lacks_stays_missing_and_is_no_nan() -> None:
    lacking = SeedRow("fast", "recipe-a", 7, figures(kid=None))
    back = loads(dumps([*rows(), lacking]), "seeds.csv")
    assert "kid.value" not in back[-1].figures.leaves


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.replace("seed,", "number,", 1), "expected recipe, digest, seed, verdict, pins"),
        (lambda text: "", "begins with nothing"),
        (lambda text: text.replace("27.5,", "high,", 1), "line 2: could not convert"),
        (lambda text: text + text.splitlines()[1] + "\n", "seed 0 of recipe recipe-a comes twice"),
        (lambda text: text + "fast,recipe-a,8\n", "line 7: 3 cells"),
        (lambda text: text.replace("fid.value", "fid.worth"), r"has no column fid\.value"),
        (lambda text: text.replace("fid.low", "fid.value"), r"the column fid\.value comes twice"),
        (lambda text: text.replace(",27.5,", ",nan,"), r"line 2: fid\.value is nan, not above 0"),
        (lambda text: text.replace(",27.5,", ",0,"), r"line 2: fid\.value is 0, not above 0"),
        (lambda text: text.replace(",27.5,", ",-1,"), r"line 2: fid\.value is -1, not above 0"),
        (lambda text: text.replace(",27.5,", ",inf,"), r"line 2: fid\.value is inf, not above 0"),
        (lambda text: text.replace(",27.5,", ",,"), r"line 2: fid\.value is missing"),
        (
            lambda text: text + text.splitlines()[1].replace("a,0,", "a,9,") + "\n",
            "seeds 0 and 9 .* have the same figures",
        ),
    ],
)
def test_what_is_no_seeds_file_is_refused_with_its_place(spoil: object, said: str) -> None:
    with pytest.raises(FormatError, match=f"seeds.csv.*{said}"):
        loads(spoil(dumps(rows())), "seeds.csv")  # type: ignore[operator]


def test_seeds_that_collapsed_to_the_same_picture_are_seeds() -> None:
    black = [SeedRow("fast", "recipe-a", seed, figures(400.0, verdict=COLLAPSED)) for seed in (8, 9)]
    assert len(loads(dumps([*rows(), *black]), "seeds.csv")) == 7


def test_the_spread_is_that_of_the_healthy_seeds_on_the_metrics_scale() -> None:
    collapsed = SeedRow("fast", "recipe-a", 9, figures(400.0, verdict=COLLAPSED))
    found = spread_of([*rows(), collapsed], "recipe-a")
    assert found is not None
    spread = found.of(KNOWN[PRIMARY])
    assert spread is not None
    mean = sum(STEPS[:5]) / 5
    assert spread.deviation == pytest.approx(math.sqrt(sum((step - mean) ** 2 for step in STEPS[:5]) / 4))
    assert spread.degrees == 4
    assert (found.recipe, len(found.rows), len(found.healthy)) == ("fast", 6, 5)


def test_a_spread_holds_for_its_own_recipe_alone() -> None:
    assert spread_of(rows(), "recipe-b") is None
    assert spread_of(rows(), None) is None


def test_a_seed_that_comes_from_two_places_counts_once_as_the_first_has_it() -> None:
    found = spread_of([*rows(27.5), *rows(99.0, count=6)], "recipe-a")
    assert found is not None
    assert [row.figures.leaves[PRIMARY] < 50 for row in found.rows] == [True] * 5 + [False]


def test_one_seed_is_no_spread() -> None:
    assert spread_of(rows(count=1), "recipe-a") is None


def test_the_digest_changes_with_a_knob_the_data_and_the_pins_and_with_nothing_else() -> None:
    digest = recipe_digest(KNOBS, "data", PINS)
    assert digest == recipe_digest(dict(reversed(KNOBS.items())), "data", PINS)
    others = {
        recipe_digest({**KNOBS, "epochs": 6}, "data", PINS),
        recipe_digest(KNOBS, "other data", PINS),
        recipe_digest(KNOBS, "data", PINS.replace("-1", "-2")),
    }
    assert len({digest, *others}) == 4
