import math
from dataclasses import replace

import pytest

from mnistgan.comparison.compare import Basis, Collapses, Compared, Comparison, Verdict, compare, judge
from mnistgan.comparison.differences import Difference
from mnistgan.comparison.power import Plan
from mnistgan.comparison.sides import Change, Side, Trained, changes
from mnistgan.comparison.wording import headline, notes, says, value
from mnistgan.errors import PinsError
from mnistgan.metrics.catalog import PRIMARY
from tests.comparison.made_up import COLLAPSED, PINS, figures, rows, seeds_around, side


def metric(found: Comparison, name: str) -> Compared:
    return next(one for one in (found.primary, *found.others) if one.metric.name == name)


@pytest.mark.parametrize(("factor", "expected"), [(0.6, "better"), (1.6, "worse"), (1.02, "cant_tell")])
def test_groups_are_judged_by_their_pooled_spread_of_log_fid(factor: float, expected: str) -> None:
    found = compare(side("A", seeds_around(27, 5)), side("B", seeds_around(27 * factor, 4)))
    assert (found.verdict.value, found.basis) == (expected, Basis.GROUPS)
    assert "t test on log FID, 5 and 4 seeds" in headline(found)


def test_groups_lean_on_the_seeds_that_are_recorded_beside_them_each_counted_once() -> None:
    base = Side("A", tuple(Trained(f"A {row.seed}", row.figures) for row in rows()[:3]), "recipe-a")
    found = compare(base, side("B", [30.0, 31.0, 32.0]), rows())
    assert found.primary.difference is not None
    assert found.primary.difference.degrees == 4 + 2
    assert "t test on log FID, 3 and 3 seeds, with the spread of 2 more recorded" in headline(found)


def test_spreads_that_differ_grossly_are_not_pooled_and_that_is_said() -> None:
    wild = side("B", [20.0, 60.0, 180.0])
    found = compare(side("A", seeds_around(27, 3), "recipe-a"), wild, rows())
    assert found.primary.difference is not None
    assert not found.primary.difference.is_pooled
    assert "Welch's test on log FID, 3 and 3 seeds, whose spreads and the recorded differ too far" in headline(found)


@pytest.mark.parametrize(("factor", "told"), [(1.02, "; p = 0."), (10, "; p < 0.0001,")])
def test_p_is_told_as_a_number_or_as_below_the_smallest_that_is(factor: float, told: str) -> None:
    assert told in headline(compare(side("A", seeds_around(27, 5)), side("B", seeds_around(27 * factor, 5))))


@pytest.mark.parametrize(("factor", "expected"), [(0.6, "better"), (1.6, "worse"), (1.1, "cant_tell")])
def test_one_seed_a_side_is_judged_by_the_recorded_spread_and_says_so(factor: float, expected: str) -> None:
    found = compare(side("A", [27.0], "recipe-a"), side("B", [27 * factor], "recipe-a"), rows())
    assert (found.verdict.value, found.basis) == (expected, Basis.RECORDED)
    assert "judged by the recorded spread of recipe fast (5 seeds)" in headline(found)
    assert found.primary.difference is not None
    assert found.primary.difference.degrees == 4


def test_the_spread_of_one_sides_recipe_is_taken_for_the_others_and_that_is_said() -> None:
    found = compare(side("A", [27.0], "recipe-a"), side("B", [60.0], "recipe-b"), rows())
    assert found.verdict is Verdict.WORSE
    assert any("spread between seeds of B is not recorded" in note for note in notes(found))


def test_of_two_recorded_spreads_that_differ_grossly_the_wider_judges() -> None:
    wide = [replace(row, digest="recipe-b", figures=figures(27 * 3**row.seed)) for row in rows()]
    found = compare(side("A", [27.0], "recipe-a"), side("B", [60.0], "recipe-b"), [*rows(), *wide])
    assert found.verdict is Verdict.CANT_TELL
    assert "the widest of spreads that differ too far to be pooled" in headline(found)


@pytest.mark.parametrize("recorded", [[], rows(digest="recipe-z")], ids=["no file", "another recipe's"])
def test_without_a_spread_of_either_recipe_one_seed_a_side_tells_nothing(recorded: list) -> None:  # type: ignore[type-arg]
    found = compare(side("A", [27.0], "recipe-a"), side("B", [270.0], "recipe-b"), recorded)
    assert (found.verdict, found.basis, found.plan) == (Verdict.CANT_TELL, Basis.NONE, None)
    assert "has no spread for this recipe" in headline(found)
    assert headline(found).endswith("two seeds a side would tell how far seeds differ")


def test_one_seed_against_a_group_is_judged_by_the_groups_spread_where_nothing_is_recorded() -> None:
    found = compare(side("A", seeds_around(27, 5)), side("B", [60.0]))
    assert (found.verdict, found.basis) == (Verdict.WORSE, Basis.OTHER)
    assert "judged by the spread of the other's 5" in headline(found)


def test_a_file_that_tells_no_recipe_is_said_to_tell_none() -> None:
    assert "a recipe that its file does not tell" in headline(compare(side("A", [27.0]), side("B", [270.0]), rows()))


def test_equal_pins_and_figures_are_identical() -> None:
    found = compare(side("A", [27.0]), side("B", [27.0]))
    assert found.verdict is Verdict.IDENTICAL
    assert headline(found) == "identical: the same pins and figures"


def test_groups_of_the_same_figures_are_identical_in_any_order() -> None:
    assert compare(side("A", [27, 28, 29]), side("B", [29, 27, 28])).verdict is Verdict.IDENTICAL


def test_the_same_weights_with_a_figure_more_are_measured_otherwise_and_no_chance_is_told() -> None:
    a, b = (
        Side(name, (Trained(name, figures(kid=kid), "digest"),)) for name, kid in (("A", None), ("B", {"value": 15}))
    )
    found = compare(a, b)
    assert found.verdict is Verdict.OTHERWISE
    assert headline(found) == "measured otherwise: the same weights, other figures: kid missing → 15"
    assert {(one.difference, one.p) for one in (found.primary, *found.others)} == {(None, None)}
    assert {says(one) for one in (found.primary, *found.others)} == {"equal", "new"}


def test_other_pins_are_refused_and_what_differs_is_named() -> None:
    other = side("B", [27.0], pins=PINS.replace("10000", "2000"))
    with pytest.raises(PinsError, match=r"A 0 and B 0 .*number of samples \(10000 and 2000\)"):
        compare(side("A", [27.0]), other)


def test_other_metrics_never_decide() -> None:
    a, b = seeds_around(27, 5), seeds_around(27.1, 5)
    plain = compare(side("A", a), side("B", b))
    moved = compare(
        Side("A", tuple(Trained(str(i), figures(fid, precision={"value": 0.9 + i / 1e4})) for i, fid in enumerate(a))),
        Side("B", tuple(Trained(str(i), figures(fid, precision={"value": 0.2 + i / 1e4})) for i, fid in enumerate(b))),
    )
    assert metric(moved, "precision.value").verdict is Verdict.WORSE
    assert moved.verdict is plain.verdict is Verdict.CANT_TELL


def test_the_other_metrics_p_is_adjusted_for_their_number_and_the_primary_ones_is_not() -> None:
    found = compare(side("A", [27.0], "recipe-a"), side("B", [31.0], "recipe-a"), rows())
    tested = [other for other in found.others if other.difference]
    assert len(tested) >= 2
    smallest = min(tested, key=lambda other: other.difference.p if other.difference else 1)
    assert smallest.difference is not None
    assert smallest.p == pytest.approx(min(1, smallest.difference.p * len(tested)))
    assert found.primary.difference is not None
    assert found.primary.p == found.primary.difference.p


def test_near_real_is_better_when_nearer_from_either_side() -> None:
    def with_precision(name: str, start: float) -> Side:
        made = (figures(20 + i, precision={"value": start + i / 1000, "real": 0.9}) for i in range(4))
        return Side(name, tuple(Trained(str(i), one) for i, one in enumerate(made)))

    assert metric(compare(with_precision("A", 0.99), with_precision("B", 0.91)), "precision.value").improves
    assert metric(compare(with_precision("A", 0.89), with_precision("B", 0.95)), "precision.value").improves is False


def test_collapsed_seeds_are_counted_and_not_averaged_in() -> None:
    a, b = side("A", seeds_around(27, 5)), side("B", seeds_around(27.5, 4))
    collapsed = Trained("B 4", figures(400.0, verdict=COLLAPSED))
    found = compare(a, replace(b, members=(*b.members, collapsed)))
    assert found.primary.b.mean == pytest.approx(compare(a, b).primary.b.mean)
    assert found.collapses == Collapses(0, 5, 1, 5)
    assert "collapsed 0 of 5 and 1 of 5, counted and not averaged in" in headline(found)
    assert f"B 4 is {COLLAPSED}" in list(notes(found))


def test_a_recipe_whose_every_seed_collapses_is_worse_though_no_fid_is_left_to_test() -> None:
    found = compare(side("A", seeds_around(27, 5)), side("B", seeds_around(300, 5), verdict=COLLAPSED))
    assert (found.verdict, found.basis) == (Verdict.WORSE, Basis.NONE)


def test_one_collapsed_seed_alone_tells_nothing_whatever_its_fid() -> None:
    found = compare(side("A", [27.0], "recipe-a"), side("B", [400.0], "recipe-a", verdict=COLLAPSED), rows())
    assert found.verdict is Verdict.CANT_TELL
    assert found.primary.b.mean == 400.0  # shown all the same
    assert "B has no seed that did not collapse" in headline(found)


@pytest.mark.parametrize(
    ("estimate", "collapses", "expected"),
    [
        (-1.0, Collapses(0, 9, 9, 9), Verdict.CANT_TELL),
        (1.0, Collapses(0, 9, 9, 9), Verdict.WORSE),
        (-1.0, Collapses(9, 9, 0, 9), Verdict.BETTER),
        (-1.0, Collapses(0, 9, 0, 9), Verdict.BETTER),
    ],
)
def test_collapses_and_fid_that_contradict_each_other_tell_nothing(
    estimate: float, collapses: Collapses, expected: Verdict
) -> None:
    assert judge(Difference(estimate, 0.01, 8), collapses) is expected


def test_where_a_seed_collapsed_fid_is_held_to_half_the_level() -> None:
    between = Difference(2.5, 1.0, 8)  # p is 0.037
    assert judge(between, Collapses(0, 5, 0, 5)) is Verdict.WORSE
    assert judge(between, Collapses(0, 5, 1, 5)) is Verdict.CANT_TELL


def test_what_would_decide_it_follows_from_the_spread_and_the_margin_and_not_from_what_was_seen() -> None:
    def planned(fid: float, margin: float = 0.25) -> Plan:
        found = compare(side("A", [27.0], "recipe-a"), side("B", [fid], "recipe-a"), rows(), margin).plan
        assert found is not None
        return found

    assert planned(27.1) == planned(30.0) == planned(90.0)
    assert planned(27.1, 0.05).seeds > planned(27.1).seeds
    told = headline(compare(side("A", [27.0], "recipe-a"), side("B", [27.1], "recipe-a"), rows()))
    assert told.endswith("2 seeds a side would see +19%")


def test_seeds_that_would_have_seen_the_margin_need_so_many_as_see_half_of_it() -> None:
    found = compare(side("A", seeds_around(27, 8)), side("B", seeds_around(27.2, 8)))
    assert found.verdict is Verdict.CANT_TELL
    assert found.plan is not None
    assert found.plan.sees <= math.log1p(0.25) / 2


def test_the_same_seed_twice_is_no_second_seed() -> None:
    found = compare(side("A", [27.0, 27.0, 27.0]), side("B", [30.0, 30.0, 30.0]))
    assert found.verdict is Verdict.CANT_TELL
    assert len(found.a.members) == 1
    assert any(note.startswith("counted once: A 1, A 2") for note in notes(found))


def test_a_seed_on_both_sides_is_said() -> None:
    found = compare(side("A", [27.0, 28.0]), side("B", [27.0, 31.0]))
    assert any(note.startswith("on both sides: B 0") for note in notes(found))


def test_missing_new_and_nan_are_said_and_not_skipped() -> None:
    of_a = Side("A", (Trained("A", figures(27.0, kid={"value": math.nan}, precision=None)),))
    of_b = Side("B", (Trained("B", figures(28.0, coverage=None, sparkle={"value": 1.0})),))
    found = compare(of_a, of_b)
    said = {one.metric.short: says(one) for one in found.others}
    assert (said["kid"], said["precision"], said["coverage"], said["sparkle"]) == ("NaN", "new", "missing in B", "new")
    assert value(metric(found, "coverage.value").b) == "missing"
    told = list(notes(found))
    assert any(note.startswith("missing in B: coverage.expected") for note in told)
    assert any(note.startswith("new in B: precision.real") for note in told)
    assert "not a number in A: kid.value" in told


@pytest.mark.parametrize("spoilt", [{"value": math.nan}, {"value": 0.0}, None])
def test_a_fid_that_is_no_positive_number_tells_nothing(spoilt: dict[str, float] | None) -> None:
    a, b = (
        Side("A", (Trained("A", figures(27.0)),), "recipe-a"),
        Side("B", (Trained("B", figures(fid=28)),), "recipe-a"),
    )
    report = {name: leaf for name, leaf in b.members[0].figures.leaves.items() if name != PRIMARY}
    leaves = report if spoilt is None else {**report, PRIMARY: spoilt["value"]}
    broken = replace(b, members=(Trained("B", replace(b.members[0].figures, leaves=leaves)),))
    found = compare(a, broken, rows())
    assert found.verdict is Verdict.CANT_TELL
    assert "FID is not on both sides" in headline(found)


def test_a_missing_verdict_is_said() -> None:
    found = compare(side("A", [27.0]), side("B", [28.0], verdict=None))
    assert any(note.startswith("B 0 has no verdict") for note in notes(found))


def test_the_training_budget_comes_first_among_changes() -> None:
    before = {"recipe.kind": "dcgan", "train.seed": 0, "recipe.epochs": 5, "gone": 1}
    after = {"recipe.kind": "dcgan", "train.seed": 1, "recipe.epochs": 9, "added": 2}
    assert changes(before, after) == (
        Change("recipe.epochs", 5, 9),
        Change("train.seed", 0, 1),
        Change("gone", 1, None),
        Change("added", None, 2),
    )
