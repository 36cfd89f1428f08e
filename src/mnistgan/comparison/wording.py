"""Words a comparison: its headline, figures as text, and notes."""

import math
from collections.abc import Iterable, Iterator

from mnistgan.comparison.compare import Basis, Compared, Comparison, Value, Verdict
from mnistgan.comparison.power import Plan
from mnistgan.comparison.sides import Side
from mnistgan.metrics.catalog import KNOWN, Better, Scale, Shown

WORDS = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.CANT_TELL: "can't tell yet",
    Verdict.IDENTICAL: "identical",
    Verdict.OTHERWISE: "measured otherwise",
}
NOTHING = "–"


def number(value: float) -> str:
    """Formats with four digits; NaN as such."""
    return "NaN" if math.isnan(value) else f"{value:.4g}"


def or_none(value: object) -> str:
    """Words a value, or that there is none."""
    return "(none)" if value is None else str(value)


def headline(found: Comparison) -> str:
    """The verdict, the figures that decided it, and on can't tell yet what would decide it."""
    word = WORDS[found.verdict]
    if found.verdict is Verdict.IDENTICAL:
        return f"{word}: {same(found.a, found.b)}"
    if found.otherwise is not None:
        return f"{word}: {found.otherwise}"
    parts = [f"FID {number(found.primary.a.mean)} → {number(found.primary.b.mean)}"]
    if not math.isnan(found.primary.estimate):
        parts[0] += f" ({_headline_change(found)})"
    parts.append(_basis(found))
    if found.collapses.any:
        parts.append(collapsed(found))
    if found.verdict is Verdict.CANT_TELL:
        parts.append(decided_by(found.plan))
    return f"{word}: {'; '.join(parts)}"


def _headline_change(found: Comparison) -> str:
    """``-19.4%, 95% interval -27.5% to -10.4%``; the interval that agrees with the verdict."""
    level = 1 - found.collapses.level
    estimate, bracket, bounds = change(found.primary, level).partition(" [")
    if not bracket:
        return estimate
    return f"{estimate}, {100 * level:.3g}% interval {bounds.removesuffix(']').replace(', ', ' to ')}"


def same(a: Side, b: Side) -> str:
    """Says what is known to be the same of two identical sides."""
    members = (*a.members, *b.members)
    if any(member.weights is None for member in members):
        return "the same pins and figures"
    measured = all(member.measuring is not None for member in members)
    return "the same weights, measuring and figures" if measured else "the same weights and figures"


def change(compared: Compared, level: float = 0.95) -> str:
    """Words the difference with its interval: in percent where the logarithm is tested, else in the metric's unit."""

    def put(estimate: float) -> str:
        if compared.metric.scale is Scale.LOG:
            share = math.expm1(min(estimate, 700.0))
            return f"{share:+.1%}" if share < 10 else f"× {share + 1:.3g}"
        return f"{estimate:+.3g}"

    if math.isnan(compared.estimate):
        return NOTHING
    if compared.difference is None:
        return put(compared.estimate) if compared.estimate else "0"
    low, high = compared.difference.interval(level)
    return f"{put(compared.estimate)} [{put(low)}, {put(high)}]"


def _basis(found: Comparison) -> str:
    if found.basis is Basis.NONE or found.primary.difference is None:
        return f"nothing tells how far seeds differ: {_why_no_basis(found)}"
    is_pooled, of_a, of_b = found.primary.difference.is_pooled, len(found.a.healthy), len(found.b.healthy)
    recorded = " and ".join(f"{record.recipe} ({len(record.healthy)} seeds)" for record in found.records)
    if found.basis is Basis.GROUPS:
        test = "t test" if is_pooled else "Welch's test"
        told = f"{test} on log FID, {of_a} and {of_b} seeds"
        if not is_pooled:
            told += f", whose spreads{' and the recorded' if recorded else ''} differ too far to be pooled"
        elif found.others_recorded:
            told += f", with the spread of {found.others_recorded} more recorded"
    elif found.basis is Basis.RECORDED:
        told = f"one seed on a side, so judged by the recorded spread of recipe {recorded}"
        if not is_pooled:
            told += ", the widest of spreads that differ too far to be pooled"
    else:
        told = f"one seed on a side, so judged by the spread of the other's {max(of_a, of_b)}"
    return f"p {equals(found.primary.p)}, {told}"


def _why_no_basis(found: Comparison) -> str:
    for side in (found.a, found.b):
        if not side.healthy:
            return f"{side.name} has no seed that did not collapse"
    if math.isnan(found.primary.estimate):
        return "FID is not on both sides"
    if found.a.recipe is None and found.b.recipe is None:
        return "one seed on a side, of a recipe that its file does not tell"
    if not found.records:
        return "one seed on a side, and metrics/seeds.csv has no spread for this recipe on this data under these pins"
    return "what was recorded does not vary"


def collapsed(found: Comparison) -> str:
    """Says how many seeds collapsed."""
    of = found.collapses
    return (
        f"collapsed {of.a} of {of.of_a} and {of.b} of {of.of_b}, counted and not averaged in "
        f"(Fisher's p {equals(of.p)}; with it, each test is held to 2.5%)"
    )


def decided_by(plan: Plan | None, scale: Scale = Scale.LOG, base: float = 1.0) -> str:
    """Says how many seeds a side would see what difference, as a share: ``3 seeds a side would see +27%``.

    ``base``: the metric of A, over which a difference is told where no logarithm is tested.
    """
    if plan is None:
        return "two seeds a side would tell how far seeds differ"
    share = math.expm1(plan.sees) if scale is Scale.LOG else plan.sees / abs(base)
    seeds = f"{plan.seeds} seed{'s' if plan.seeds > 1 else ''} a side"
    return f"even {seeds} would see no less than {share:+.0%}" if plan.is_short else f"{seeds} would see {share:+.0%}"


def equals(p: float | None) -> str:
    """Formats a p value after its letter: "= 0.03", or "< 0.0001"."""
    shown = p_value(p)
    return shown if shown.startswith("<") else f"= {shown}"


def p_value(p: float | None) -> str:
    """Formats a p value: two digits, and no more zeros than a reader counts."""
    if p is None:
        return NOTHING
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def value(of: Value) -> str:
    """Formats a metric's value with its interval, or says why there is none."""
    if of.absent:
        return "missing"
    text = number(of.mean)
    if of.interval is not None and of.interval.low < of.interval.high:
        text += f" [{number(of.interval.low)}, {number(of.interval.high)}]"
    gaps = [f"{count} {what}" for count, what in ((of.missing, "missing"), (of.not_finite, "NaN")) if count]
    return f"{text} ({', '.join(gaps)} of {of.seeds})" if gaps and of.seeds > 1 else text


def says(compared: Compared) -> str:
    """Words a metric's own verdict, for the last column."""
    if compared.a.absent or compared.b.absent:
        return "new" if compared.a.absent else "missing in B"
    if math.isnan(compared.estimate):
        return "NaN" if compared.a.not_finite + compared.b.not_finite else NOTHING
    if compared.verdict is not Verdict.CANT_TELL:
        return WORDS[compared.verdict]
    if compared.p is not None and compared.metric.better is Better.UNKNOWN and compared.p < 0.05:
        return "differs"
    if compared.estimate == 0:
        return "equal"
    if compared.difference is None:
        return "no spread" if compared.is_tested else "differs"
    return WORDS[Verdict.CANT_TELL]


def leading(names: Iterable[str], asked: Iterable[str], count: int = 6) -> list[str]:
    """Chooses the figures to be told first, in their order: of those that decide, the ones that are ``asked`` about."""
    short = {name.removesuffix(".value") for name in asked}
    deciding = [metric for name in names if (metric := KNOWN.get(name)) and Shown.SCORES in metric.shown]
    chosen = sorted(deciding, key=lambda metric: metric.short not in short)[:count]
    return [metric.name for metric in deciding if metric in chosen]


def row(compared: Compared) -> tuple[str, ...]:
    """Words a metric as a row: its name, what real images get, both sides, the change, p, its own verdict."""
    metric = compared.metric
    real = {number(of.real) for of in (compared.a, compared.b) if of.real is not None}
    return (
        f"{metric.short} {metric.better.mark}".rstrip(),
        " / ".join(sorted(real)) or NOTHING,
        value(compared.a),
        value(compared.b),
        change(compared),
        p_value(compared.p),
        says(compared),
    )


def notes(found: Comparison) -> Iterator[str]:
    """Lists notes for the reader: copies in a group, which spread judged, verdicts, missing or new figures."""
    yield from found.notes
    if found.basis is Basis.RECORDED:
        yield from _about_spread(found)
    for side in (found.a, found.b):
        yield from _verdicts(side)
    for name, missing in (("B", _only_in(found.a, found.b)), ("A", _only_in(found.b, found.a))):
        if missing:
            yield f"{'missing in B' if name == 'B' else 'new in B'}: {', '.join(missing)}"
    for side in (found.a, found.b):
        spoiled = sorted({n for m in side.members for n, leaf in m.figures.leaves.items() if not math.isfinite(leaf)})
        if spoiled:
            yield f"not a number in {side.name}: {', '.join(spoiled)}"


def _about_spread(found: Comparison) -> Iterator[str]:
    known = {record.rows[0].digest: record.recipe for record in found.records}
    if others := [side.name for side in (found.a, found.b) if side.recipe not in known]:
        named = " and ".join(f"{recipe} ({digest})" for digest, recipe in known.items())
        yield (
            f"the spread between seeds of {' and '.join(others)} is not recorded; it is taken to be that of recipe "
            f"{named}"
        )


def _verdicts(side: Side) -> Iterator[str]:
    for member in side.members:
        verdict = member.figures.verdict
        if verdict is None:
            yield f"{member.name} has no verdict (`dvc repro evaluate` adds it); counted by its dropped classes"
        elif member.figures.findings != ("healthy",):
            yield f"{member.name} is {verdict}"


def _only_in(one: Side, other: Side) -> list[str]:
    held, lacking = ({name for member in side.members for name in member.figures.leaves} for side in (one, other))
    return sorted(held - lacking)
