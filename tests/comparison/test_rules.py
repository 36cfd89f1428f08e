import math
from typing import Any

import pytest

from mnistgan.comparison.figures import FINDINGS, Figures
from mnistgan.comparison.rules import Judged, Outcome, judge, overall, parse
from mnistgan.comparison.sides import Side, Trained
from mnistgan.errors import GateError, PinsError, UsageError
from mnistgan.evaluation.verdict import EVIDENCE, HEALTHY
from mnistgan.metrics.catalog import KNOWN
from tests.comparison.made_up import COLLAPSED, PINS, figures, rows, seeds_around, side

NO_WORSE = {"fid": "no worse than base by more than 25%"}


def outcome(rules: dict[str, Any], base: Side, head: Side, recorded: object = ()) -> Judged:
    found = judge(parse(rules, "gate.yaml"), base, head, list(recorded))  # type: ignore[call-overload]
    assert len(found) == 1
    return found[0]


def one(name: str, fid: float = 27.0, recipe: str | None = "recipe-a", **sections: Any) -> Side:
    return side(name, [fid], recipe, **sections)


@pytest.mark.parametrize(
    ("fid", "expected"),
    [
        (27.3, Outcome.PASS),
        (60.0, Outcome.FAIL),
        (33.0, Outcome.FAIL),
        (30.0, Outcome.INCONCLUSIVE),
        (20.0, Outcome.PASS),
    ],
)
def test_no_worse_than_base_is_judged_by_the_recorded_spread(fid: float, expected: Outcome) -> None:
    found = outcome(NO_WORSE, one("base"), one("head", fid), rows())
    assert found.outcome is expected
    assert "recorded spread of recipe fast, 5 seeds" in found.said


@pytest.mark.parametrize(
    ("fid", "expected"), [(27.3, Outcome.PASS), (60.0, Outcome.FAIL), (34.0, Outcome.FAIL), (29.0, Outcome.PASS)]
)
def test_no_worse_than_base_takes_groups_by_their_own_spread(fid: float, expected: Outcome) -> None:
    found = outcome(NO_WORSE, side("base", seeds_around(27, 5)), side("head", seeds_around(fid, 5)))
    assert found.outcome is expected
    assert "5 and 5 seeds" in found.said


def test_a_harm_that_is_shown_fails_unless_it_is_shown_to_be_within_the_margin() -> None:
    # Log FIDs of 27 and 31, six seeds each of deviation .05: +15%, of which chance makes 5% either way.
    base, head = side("base", seeds_around(27, 6)), side("head", seeds_around(31, 6))
    for margin, expected in ((25, Outcome.PASS), (15, Outcome.FAIL), (0, Outcome.FAIL)):
        rule = {"fid": f"no worse than base by more than {margin}%"}
        assert outcome(rule, base, head).outcome is expected


def test_an_inconclusive_change_says_how_many_seeds_would_see_what() -> None:
    found = outcome(NO_WORSE, one("base"), one("head", 31.0), rows())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.decided_by == "4 seeds a side would see +10%"
    linear = {"coverage": "no worse than base by more than 10%"}
    found = outcome(linear, one("base", coverage={"value": 0.54}), one("head", 28.0, coverage={"value": 0.5}), rows())
    assert found.decided_by == "4 seeds a side would see +10%"


@pytest.mark.parametrize(("fid", "expected"), [(27.3, Outcome.INCONCLUSIVE), (60.0, Outcome.FAIL)])
def test_without_a_spread_between_seeds_no_worse_than_base_never_passes(fid: float, expected: Outcome) -> None:
    found = outcome(NO_WORSE, one("base"), one("head", fid))
    assert found.outcome is expected
    assert "the spread between seeds is unknown" in found.said


def test_one_seed_against_a_group_takes_the_groups_spread() -> None:
    found = outcome(NO_WORSE, side("base", seeds_around(27, 5)), one("head", 60.0, None))
    assert found.outcome is Outcome.FAIL
    assert "spread of the other side's 5 seeds" in found.said


def test_without_any_interval_no_worse_than_base_tells_nothing() -> None:
    rule = {"coverage": "no worse than base by more than 5%"}
    head = one("head", 28.0, coverage={"value": 0.2})
    assert outcome(rule, one("base"), head).outcome is Outcome.INCONCLUSIVE


def test_what_is_identical_is_no_worse_even_without_a_spread() -> None:
    assert outcome(NO_WORSE, one("base"), one("head")).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [(0.53, Outcome.PASS), (0.05, Outcome.FAIL), (0.44, Outcome.FAIL), (0.48, Outcome.INCONCLUSIVE)],
)
def test_of_a_metric_that_should_be_high_worse_is_lower(coverage: float, expected: Outcome) -> None:
    rule = {"coverage": "no worse than base by more than 25 %"}
    base, head = one("base", coverage={"value": 0.54}), one("head", 28.0, coverage={"value": coverage})
    assert outcome(rule, base, head, rows()).outcome is expected


def test_the_bound_is_one_sided_by_hand() -> None:
    # The spread has 4 degrees; their t at 95% is 2.132; the bound of the ratio is exp(0 + 2.132 s root 2).
    found = outcome({"fid": "no worse than base by more than 18%"}, one("base"), one("head", 27.000001), rows())
    deviation = math.sqrt(sum((step + 0.004) ** 2 for step in (0.0, 0.06, -0.05, 0.03, -0.06)) / 4)
    bound = math.expm1(2.13185 * math.sqrt(2) * deviation)
    assert f"{bound:+.1%}]" in found.said
    assert (found.outcome is Outcome.PASS) is (bound <= 0.18)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"coverage": "at least 0.5 of real"}, Outcome.PASS),  # 0.56, and 0.5 of 0.95
        ({"coverage": "at least 0.9 of real"}, Outcome.FAIL),
        ({"classes.smallest_ratio": "at least 0.5"}, Outcome.PASS),
        ({"classes.smallest_ratio": "at least 0.8"}, Outcome.FAIL),
        ({"fid": "at most 30"}, Outcome.PASS),  # 27 and 26.3 to 27.7
        ({"fid": "at most 26"}, Outcome.FAIL),
        ({"fid": "at most 27.2"}, Outcome.INCONCLUSIVE),
        ({"fid": "at most 60 of real"}, Outcome.PASS),  # 60 floors are 30.9
        ({"fid": "at most 10 of real"}, Outcome.FAIL),
        ({"fid.relative": "at most 2"}, Outcome.PASS),
        ({"fid.relative": "at most 1e0"}, Outcome.FAIL),
        ({"kid": "at least 1"}, Outcome.PASS),
        ({"kid": "at most 14"}, Outcome.INCONCLUSIVE),
        ({"verdict": "healthy"}, Outcome.PASS),
    ],
)
def test_a_rule_about_the_head_alone_takes_the_samplings_interval(rule: dict[str, str], expected: Outcome) -> None:
    assert outcome(rule, one("base", 99.0), one("head")).outcome is expected


def test_a_rule_about_a_group_takes_the_interval_of_its_mean() -> None:
    head = side("head", seeds_around(27, 5))
    assert outcome({"fid": "at most 30"}, one("base"), head).outcome is Outcome.PASS
    assert outcome({"fid": "at most 27"}, one("base"), head).outcome is Outcome.INCONCLUSIVE
    assert outcome({"fid": "at most 25"}, one("base"), head).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("verdict", "words", "expected"),
    [
        ("healthy", "healthy", Outcome.PASS),
        (COLLAPSED, "healthy", Outcome.FAIL),
        ("unsure: 24% of samples are of no clear class", "healthy or unsure", Outcome.PASS),
        ("memorised: 20%; unsure: 24%", "healthy or unsure", Outcome.FAIL),
        (None, "healthy", Outcome.INCONCLUSIVE),
    ],
)
def test_every_finding_of_the_verdict_must_be_among_the_rules_words(
    verdict: str | None, words: str, expected: Outcome
) -> None:
    assert outcome({"verdict": words}, one("base"), one("head", verdict=verdict)).outcome is expected


@pytest.mark.parametrize(
    ("base", "head", "said"),
    [
        ({}, {"coverage": None}, "missing in head"),
        ({}, {"coverage": {"value": math.nan}}, "NaN in head"),
        ({"coverage": None}, {}, "missing in base"),
    ],
)
def test_what_is_missing_or_nan_is_inconclusive_and_said(base: dict, head: dict, said: str) -> None:  # type: ignore[type-arg]
    rule = {"coverage": "no worse than base by more than 25%"}
    found = outcome(rule, one("base", **base), one("head", 28.0, **head), rows())
    assert found.outcome is Outcome.INCONCLUSIVE
    assert said in found.said


def test_a_figure_that_no_side_has_is_bad_use() -> None:
    with pytest.raises(UsageError, match="converage: no such figure"):
        outcome({"converage": "at least 0.5"}, one("base"), one("head"))


def test_other_pins_are_refused() -> None:
    with pytest.raises(PinsError):
        outcome(NO_WORSE, one("base"), one("head", pins=PINS.replace("10000", "2000")))


def test_of_real_of_what_real_images_get_no_value_for_is_refused() -> None:
    with pytest.raises(GateError, match="real images get no value"):
        outcome({"classes.dropped": "at most 1 of real"}, one("base"), one("head"))


def test_all_problems_are_said_at_once_with_the_forms_that_there_are() -> None:
    document = {
        "fid": "no worse than yesterday",
        "coverage": 0.9,
        "precision": "no worse than base by more than 5%",
        "verdict": "at least healthy",
        "kid": "at most 20",
    }
    with pytest.raises(GateError) as caught:
        parse(document, "gate.yaml")
    message = str(caught.value)
    assert message.startswith("gate.yaml: 4 problems")
    assert all(f"\n  {name}: got " in message for name in ("fid", "coverage", "precision", "verdict"))
    assert "kid" not in message
    assert "no worse than base by more than PERCENT%" in message


@pytest.mark.parametrize("document", [None, [], {}, "fid", 3])
def test_what_holds_no_rules_is_refused(document: object) -> None:
    with pytest.raises(GateError, match=r"gate\.yaml: got"):
        parse(document, "gate.yaml")


def test_one_failure_fails_the_whole_and_one_doubt_leaves_it_open() -> None:
    made = {o: Judged("fid", "rule", o, "") for o in Outcome}
    assert overall(list(made.values())) is Outcome.FAIL
    assert overall([made[Outcome.PASS], made[Outcome.INCONCLUSIVE]]) is Outcome.INCONCLUSIVE
    assert overall([made[Outcome.PASS]]) is Outcome.PASS


@pytest.mark.parametrize("name", [m.short for m in KNOWN.values() if m.better.value in ("lower", "higher")])
def test_every_metric_with_a_direction_takes_no_worse_than_base(name: str) -> None:
    assert parse({name: "no worse than base by more than 5%"}, "gate.yaml")


def test_a_negative_base_leaves_room_for_its_own_share_too() -> None:
    spread = [
        row.__class__(row.recipe, row.digest, row.seed, figures(27.0 + row.seed, kid={"value": 15 + row.seed / 100}))
        for row in rows()
    ]
    rule = {"kid": "no worse than base by more than 50%"}
    base = Side("base", (Trained("base", figures(27.0, kid={"value": -1.0})),), "recipe-a")
    for kid, expected in ((-0.8, Outcome.PASS), (-0.1, Outcome.FAIL)):
        head = Side("head", (Trained("head", figures(28.0, kid={"value": kid})),), "recipe-a")
        assert outcome(rule, base, head, spread).outcome is expected


@pytest.mark.parametrize(
    "rules",
    [
        {"verdict": "heathly"},
        {"verdict": "healthy or unsrue"},
        {"fid": "at most 1e400"},
        {"fid": "at least -1e400"},
        {"fid": "at most nan"},
        {"fid": "at most inf"},
        {"fid": f"no worse than base by more than {'9' * 400}%"},
        {"fid": "no worse than base by more than -5%"},
        {"fid": "no worse than base by more than nan%"},
    ],
)
def test_a_word_that_no_verdict_has_and_a_number_that_rules_nothing_are_refused(rules: dict[str, str]) -> None:
    with pytest.raises(GateError, match=r"gate\.yaml: 1 problem"):
        parse(rules, "gate.yaml")


def test_the_words_of_a_verdict_are_those_that_evaluate_gives() -> None:
    assert set(FINDINGS) == {HEALTHY, *(evidence.verdict for evidence in EVIDENCE)}
    with pytest.raises(GateError, match="no such word of the verdict: unsrue; there are healthy, collapsed, memorised"):
        parse({"verdict": "healthy or unsrue"}, "gate.yaml")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"low": 30.0, "high": 20.0}, "fid.low is 30 beside a fid of 29 in head"),
        ({"high": math.inf}, "fid.high is inf"),
        ({"low": math.nan}, "fid.low is nan"),
    ],
)
def test_an_interval_that_is_none_decides_nothing(section: dict[str, float], said: str) -> None:
    for rule in ("at most 28", "at most 100"):
        made = figures(29.0)
        spoilt = Figures({**made.leaves, **{f"fid.{end}": value for end, value in section.items()}}, PINS, "healthy")
        found = outcome({"fid": rule}, one("base"), Side("head", (Trained("head", spoilt),), "recipe-a"))
        assert (found.outcome, said in found.said) == (Outcome.INCONCLUSIVE, True), found


def test_a_file_that_lost_its_interval_is_not_taken_as_it_is_where_the_bases_has_one() -> None:
    head = one("head", kid={"value": 14.0})
    bare = {name: leaf for name, leaf in head.members[0].figures.leaves.items() if name != "kid.standard_error"}
    stripped = Side("head", (Trained("head", Figures(bare, PINS, "healthy")),), "recipe-a")
    assert outcome({"kid": "at most 14.5"}, one("base", 26.0), stripped).outcome is Outcome.INCONCLUSIVE


def test_a_seed_that_stands_twice_in_a_group_narrows_nothing() -> None:
    base, head = side("base", seeds_around(27, 3)), side("head", [33.0])
    doubled = Side("head", head.members * 5)
    assert outcome(NO_WORSE, base, doubled).said == outcome(NO_WORSE, base, head).said


def test_no_doubt_and_no_empty_list_of_rules_is_a_pass() -> None:
    passing = [Judged("fid", "at most 3", Outcome.PASS, "")]
    assert overall(passing) is Outcome.PASS
    assert overall(passing, ["whose figures it holds is unknown"]) is Outcome.INCONCLUSIVE
    assert overall([]) is Outcome.INCONCLUSIVE
    assert overall([Judged("fid", "at most 3", Outcome.FAIL, "")], ["doubt"]) is Outcome.FAIL
