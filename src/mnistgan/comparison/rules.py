"""Judges results by the rules of gate.yaml.

A rule passes where the one-sided 95% bound of what it asks about is inside its margin. One about the head alone fails
where the whole interval between the two one-sided bounds is outside; one about the change where the head is shown to be
worse at all, and not shown to be inside: the proof is the change's to bring. Between, a rule is inconclusive.
"""

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import NormalDist, fmean
from typing import Any

from mnistgan.comparison.compare import check_pins, independent, planned, spreads
from mnistgan.comparison.differences import Difference, difference
from mnistgan.comparison.figures import FINDINGS, VERDICT, finite
from mnistgan.comparison.power import ONE_SIDED
from mnistgan.comparison.seeds import RecordedSpread, SeedRow
from mnistgan.comparison.sides import Side, are_identical, distinct, measured_otherwise
from mnistgan.comparison.wording import decided_by
from mnistgan.errors import GateError, UsageError
from mnistgan.metrics.catalog import KNOWN, Better, Metric, Scale, broken_interval, find, sampling_interval
from mnistgan.metrics.intervals import Z

FORMS = (
    "at least NUMBER; at most NUMBER; at least NUMBER of real; at most NUMBER of real; "
    "no worse than base by more than PERCENT%; and for verdict its words, for instance: healthy, or: healthy or unsure"
)
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_BOUND = re.compile(rf"at (least|most) ({_NUMBER})( of real)?")
_NO_WORSE = re.compile(r"no worse than base by more than (\d+(?:\.\d+)?) ?%")
_WORDS = re.compile(r"[a-z]+(?: or [a-z]+)*")
_NORMAL = NormalDist().inv_cdf(ONE_SIDED)


class Outcome(StrEnum):
    """Whether a rule, or all of them, passed, failed or can't be judged."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Judged:
    """A rule with its outcome, and in words the figures that it rests on."""

    name: str
    rule: str
    outcome: Outcome
    said: str
    decided_by: str | None = None  # what would decide an inconclusive one, where more seeds would


@dataclass(frozen=True)
class Bound:
    """Rule: a metric of the head is at least, or at most, a number, or a share of what real images get."""

    name: str
    least: bool
    limit: float
    of_real: bool

    def judge(self, case: "Case") -> tuple[Outcome, str]:
        """Judges the head by its sampling interval, or by the interval over seeds where there are several."""
        metric = case.metric(self.name)
        values = case.values(metric, case.head)
        if gap := case.gap(metric, head=values):
            return Outcome.INCONCLUSIVE, gap
        real = case.real(metric) if self.of_real else 1.0
        if real is None:
            raise GateError(f"{self.name}: real images get no value for it; give a number without `of real`")
        limit = self.limit * real
        value, half, basis = _spread_of_head(metric, values, case.head)
        if not half and _sampling_error(metric, case.base):
            return Outcome.INCONCLUSIVE, f"{value:.4g}; {case.head.name} has no interval for it, {case.base.name} has"
        low, high = value - half, value + half
        bounds = "" if low == high else f" [{low:.4g}, {high:.4g}]"
        said = f"{value:.4g}{bounds}, {'at least' if self.least else 'at most'} {limit:.4g}"
        if self.of_real:
            said += f" ({self.limit:g} of {real:.4g})"
        distance = limit - value if self.least else value - limit
        return _outcome(distance - half, distance + half), f"{said}{basis}"


@dataclass(frozen=True)
class NoWorse:
    """Rule: a metric of the head is worse than the base's by no more than a percentage."""

    name: str
    share: float

    def judge(self, case: "Case") -> tuple[Outcome, str] | tuple[Outcome, str, str | None]:
        """Judges the change by the spread between seeds; without one by the sampling interval, which can't pass it."""
        metric = case.metric(self.name)
        base, head = case.values(metric, case.base), case.values(metric, case.head)
        if gap := case.gap(metric, base=base, head=head):
            return Outcome.INCONCLUSIVE, gap
        shown = f"{metric.scale.back(fmean(base)):.4g} → {metric.scale.back(fmean(head)):.4g}"
        if case.unjudged:
            return Outcome.INCONCLUSIVE, f"{shown}, {case.unjudged}"
        if are_identical(case.base, case.head):
            return Outcome.PASS, f"{shown}, identical"
        worse, basis = _harm(metric, base, head, case, 0.0)  # than the base
        beyond, _ = _harm(metric, base, head, case, self.share)  # what is allowed
        low, high = worse.estimate - _half(worse), beyond.estimate + _half(beyond)
        ends = sorted(_change(metric, base, end, share) for end, share in ((low, 0.0), (high, self.share)))
        change = _change(metric, base, worse.estimate, 0.0)
        said = f"{shown}, {change:+.1%} [{ends[0]:+.1%}, {ends[1]:+.1%}] ({basis})"
        if basis == SAMPLING:  # too narrow: it passes nothing, and fails what is outside as a whole
            fails = beyond.estimate > _half(beyond) > 0
            return (Outcome.FAIL, said) if fails else (Outcome.INCONCLUSIVE, said, decided_by(None))
        if high <= 0:
            return Outcome.PASS, said
        if low > 0:
            return Outcome.FAIL, said
        margin = math.log1p(self.share) if metric.scale is Scale.LOG else self.share * abs(fmean(base))
        would = planned(metric, case.base, case.head, case.records, margin, ONE_SIDED) if margin else None
        return Outcome.INCONCLUSIVE, said, decided_by(would, metric.scale, fmean(base)) if would else None


def _harm(
    metric: Metric, base: Sequence[float], head: Sequence[float], case: "Case", share: float
) -> tuple[Difference, str]:
    """Measures how far the head is beyond ``share`` worse than the base, on the metric's scale, and by what spread."""
    sign, factor, shift = _allowed(metric, base, share)
    found = difference(
        [sign * value for value in base],
        [sign * value for value in head],
        independent(metric, case.base, case.head, case.records),
        factor,
    )
    if found:
        return replace(found, estimate=found.estimate - shift), _by(found, len(base), len(head), case)
    error = math.hypot(factor * _sampling_error(metric, case.base), _sampling_error(metric, case.head))
    return Difference(sign * (fmean(head) - factor * fmean(base)) - shift, error, math.inf), SAMPLING


def _by(found: Difference, base: int, head: int, case: "Case") -> str:
    """Says by what spread a change was judged."""
    recorded = " and ".join(f"{record.recipe}, {len(record.healthy)} seeds" for record in case.records)
    if min(base, head) >= 2:
        if not found.is_pooled:
            return f"Welch's test, {base} and {head} seeds: spreads differ too far to be pooled"
        return f"{base} and {head} seeds{f', pooled with the recorded spread of recipe {recorded}' if recorded else ''}"
    if not recorded:
        return f"spread of the other side's {max(base, head)} seeds"
    return f"{'' if found.is_pooled else 'widest '}recorded spread of recipe {recorded}"


def _allowed(metric: Metric, base: Sequence[float], share: float) -> tuple[float, float, float]:
    """Sign of what is worse, factor of the base that is still allowed, and what is allowed beyond it."""
    if metric.scale is Scale.LOG:
        return 1.0, 1.0, math.log1p(share)
    sign = 1.0 if metric.better is Better.LOWER else -1.0
    return sign, 1 + math.copysign(share, sign * fmean(base)), 0.0


def _change(metric: Metric, base: Sequence[float], harm: float, share: float) -> float:
    """Turns a harm beyond ``share``, on the metric's scale, into a change of the metric as a share of the base."""
    sign, factor, shift = _allowed(metric, base, share)
    if metric.scale is Scale.LOG:
        return math.expm1(harm + shift)
    before = fmean(base)
    return (sign * harm + factor * before - before) / abs(before) if before else math.nan


@dataclass(frozen=True)
class OneOf:
    """Rule: the verdict of the head is one of these words."""

    name: str
    words: tuple[str, ...]

    def judge(self, case: "Case") -> tuple[Outcome, str]:
        """Judges every seed of the head."""
        said = "; ".join(f"{member.figures.verdict or 'no verdict in ' + member.name}" for member in case.head.members)
        if any(set(member.figures.findings) - set(self.words) for member in case.head.members):
            return Outcome.FAIL, said
        if any(not member.figures.findings for member in case.head.members):
            return Outcome.INCONCLUSIVE, f"{said}; `dvc repro evaluate` adds one"
        return Outcome.PASS, said


Rule = Bound | NoWorse | OneOf
SAMPLING = "the spread between seeds is unknown, the sampling's alone passes nothing"


@dataclass(frozen=True)
class Case:
    """The head and the base that rules are judged on."""

    base: Side
    head: Side
    records: Sequence[RecordedSpread]
    unjudged: str | None = None  # why the figures of the two can't be held against each other

    def metric(self, name: str) -> Metric:
        """The metric that a rule names. Raises UsageError where neither side has it."""
        names = [leaf for side in (self.head, self.base) for member in side.members for leaf in member.figures.leaves]
        found = find(name, names)
        if found is None:
            known = ", ".join(dict.fromkeys(names))
            raise UsageError(f"gate.yaml, {name}: no such figure; {self.head.name} has {known}")
        return found

    def values(self, metric: Metric, side: Side) -> list[float]:
        """The finite values of a side, on the metric's scale."""
        return finite(metric, (member.figures for member in side.members))

    def gap(self, metric: Metric, **values: Sequence[float]) -> str | None:
        """Says which side lacks the metric, a number for it, or an interval that holds it; None where neither."""
        sides: Mapping[str, Side] = {"base": self.base, "head": self.head}
        for name, found in values.items():
            side = sides[name]
            if len(found) < len(side.members):
                held = any(metric.name in member.figures.leaves for member in side.members)
                return f"{metric.short} is {'NaN' if held else 'missing'} in {side.name}"
            broken = (broken_interval(metric, member.figures.leaves) for member in side.members)
            if wrong := next((said for said in broken if said), None):
                return f"{wrong} in {side.name}"
        return None

    def real(self, metric: Metric) -> float | None:
        """The figure that real images get."""
        found = [member.figures.leaves.get(metric.real or "") for member in self.head.members]
        known = [value for value in found if value is not None]
        return fmean(known) if known else None


def parse(document: Any, name: str) -> dict[str, tuple[str, Rule]]:
    """Parses gate.yaml into rules, each with its text, by figure. Raises GateError with each that is not understood."""
    if not isinstance(document, dict) or not document:
        got = "nothing" if not document else type(document).__name__
        raise GateError(f"{name}: got {got}; should be a line `FIGURE: RULE` or more; rules: {FORMS}")
    rules: dict[str, tuple[str, Rule]] = {}
    problems = []
    for key, text in document.items():
        try:
            rules[str(key)] = (str(text), _rule(str(key), text))
        except ValueError as error:
            problems.append(f"{key}: got {text!r}; {error}")
    if problems:
        count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
        raise GateError("\n  ".join([f"{name}: {count}", *problems, f"rules: {FORMS}"]))
    return rules


def _rule(name: str, text: object) -> Rule:
    """Parses a rule's words. Raises ValueError, saying why, where they make none."""
    words = " ".join(text.split()) if isinstance(text, str) else ""
    if name == VERDICT:
        if not _WORDS.fullmatch(words) or words.startswith(("at least", "at most", "no worse")):
            raise ValueError(f"should be words of the verdict, joined by `or`: {', '.join(FINDINGS)}")
        if unknown := [word for word in words.split(" or ") if word not in FINDINGS]:
            raise ValueError(f"no such word of the verdict: {', '.join(unknown)}; there are {', '.join(FINDINGS)}")
        return OneOf(name, tuple(words.split(" or ")))
    if found := _BOUND.fullmatch(words):
        return Bound(name, found[1] == "least", _finite(found[2]), bool(found[3]))
    if found := _NO_WORSE.fullmatch(words):
        metric = KNOWN.get(f"{name}.value") or KNOWN.get(name)
        if metric is None or metric.better not in (Better.LOWER, Better.HIGHER):
            raise ValueError("lower or higher is not known to be worse for it; use `at least` or `at most`")
        return NoWorse(name, _finite(found[1]) / 100)
    raise ValueError("not a rule")


def _finite(digits: str) -> float:
    """Parses a number. Raises ValueError where it is beyond what a float can hold: it would rule nothing."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number is too large; at most {sys.float_info.max:.1e}")
    return number


def judge(
    rules: Mapping[str, tuple[str, Rule]],
    base: Side,
    head: Side,
    recorded: Sequence[SeedRow],
    base_in_doubt: bool = False,
) -> list[Judged]:
    """Judges each rule; one that compares with the base is inconclusive where the base's figures are in doubt.

    ``recorded``: rows of a seeds.csv, of which those of the base's or the head's recipe tell the spread between seeds.
    Raises PinsError where rulers differ, UsageError where a rule names a figure that neither side has.
    """
    check_pins(base, head)
    unjudged = "the base in doubt" if base_in_doubt else None
    if measured_otherwise(base, head):
        unjudged = "measured otherwise"
    base, head = (distinct(side)[0] for side in (base, head))
    case = Case(base, head, spreads(recorded, base, head), unjudged)
    return [Judged(name, text, *rule.judge(case)) for name, (text, rule) in rules.items()]


def judge_alone(rules: Mapping[str, tuple[str, Rule]], head: Side) -> Outcome:
    """Judges the rules about the head alone; inconclusive where there are none, or it lacks what one names."""
    absolute = {name: (text, rule) for name, (text, rule) in rules.items() if not isinstance(rule, NoWorse)}
    try:
        return overall(judge(absolute, head, head, ())) if absolute else Outcome.INCONCLUSIVE
    except (GateError, UsageError):
        return Outcome.INCONCLUSIVE


def overall(judged: Sequence[Judged], doubts: Sequence[str] = ()) -> Outcome:
    """Combines outcomes: fail if any failed; else inconclusive if any is, figures are in doubt, or none was judged."""
    outcomes = {one.outcome for one in judged}
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL
    return Outcome.PASS if outcomes == {Outcome.PASS} and not doubts else Outcome.INCONCLUSIVE


def _outcome(low: float, high: float) -> Outcome:
    """Outcome by where the limit lies between an estimate's two one-sided bounds."""
    if high <= 0:
        return Outcome.PASS
    return Outcome.FAIL if low > 0 else Outcome.INCONCLUSIVE


def _half(found: Difference) -> float:
    return _NORMAL * found.standard_error if math.isinf(found.degrees) else found.half(ONE_SIDED)


def _spread_of_head(metric: Metric, scaled: Sequence[float], head: Side) -> tuple[float, float, str]:
    """The head's value, how far its one-sided bounds lie from it, and what they come from."""
    values = [metric.scale.back(value) for value in scaled]
    if len(values) >= 2:
        spread = difference([0.0, 0.0], values)  # against what does not vary: the mean, by its own spread
        return fmean(values), _half(spread) if spread else 0.0, f"; mean of {len(values)} seeds"
    error = _sampling_error(metric, head, on_scale=False)
    return values[0], _NORMAL * error, "" if error else "; its file has no interval"


def _sampling_error(metric: Metric, side: Side, on_scale: bool = True) -> float:
    """Standard error of a side's mean by the sampling of latents; 0 where its files have no interval."""
    errors = []
    for member in side.members:
        interval = sampling_interval(metric, member.figures.leaves)
        error = (interval.high - interval.low) / (2 * Z) if interval else 0.0
        errors.append(error / interval.value if interval and on_scale and metric.scale is Scale.LOG else error)
    return math.hypot(*errors) / len(errors)
