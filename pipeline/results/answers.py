"""Words what a comparison of two results comes to, with what differs in their params, data and code."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mnistgan.comparison import wording
from mnistgan.comparison.compare import Compared, Comparison, Value, Verdict
from mnistgan.comparison.sides import Change, Side, changes
from pipeline import output
from pipeline.results.checkout import Results


def answer(found: Comparison, a: Results, b: Results) -> output.Result:
    """Words a comparison of two sides, with what differs in their params, data and code."""
    changed = {kind: changes(getattr(a, kind), getattr(b, kind)) for kind in ("params", "data", "code", "machine")}
    headline, sides = wording.headline(found), f"A: {_who(found.a)}; B: {_who(found.b)}"
    notes = list(dict.fromkeys((*a.notes, *b.notes, *wording.notes(found))))
    of, metrics = found.collapses, (found.primary, *found.others)
    return output.Result(
        headline=headline,
        legend=f"{sides}; 95% intervals; ↓ lower is better, ↑ higher, ≈ nearer to real",
        lines=tuple(_lines(a, b, changed)),
        columns=("metric", "real", "A", "B", "B against A", "p", "says"),
        rows=[wording.row(metric) for metric in metrics],
        notes=notes,
        content={
            "verdict": found.verdict.value,
            "measured_otherwise": found.otherwise,
            "headline": headline,
            "basis": found.basis.value,
            "level": of.level,
            "margin": found.margin,
            "decided_by": wording.decided_by(found.plan) if found.verdict is Verdict.CANT_TELL else None,
            "plan": {"seeds": found.plan.seeds, "sees": math.expm1(found.plan.sees)} if found.plan else None,
            "collapsed": {"a": of.a, "of_a": of.of_a, "b": of.b, "of_b": of.of_b, "p": of.p},
            "a": _side(a),
            "b": _side(b),
            **{kind: [_change(each) for each in listed] for kind, listed in changed.items()},
            "metrics": [_metric(metric) for metric in metrics],
            "notes": notes,
        },
    )


def _lines(a: Results, b: Results, changed: Mapping[str, Sequence[Change]]) -> Iterator[str]:
    """Lists what differs in params, data and code, the training budget first; the processor, where one records it."""
    if unknown := [side.side.name for side in (a, b) if not side.recorded]:
        yield f"params, data, code: not recorded for {' and '.join(unknown)}, so what differs is unknown"
        return
    if budget := [change for change in changed["params"] if change.of_budget]:
        yield f"the training budget differs: {_listed(budget)}"
    yield f"params: {_listed([change for change in changed['params'] if not change.of_budget]) or 'the same'}"
    for kind in ("data", "code"):
        yield f"{kind}: {', '.join(_file_change(change) for change in changed[kind]) or 'the same'}"
    unknown = [side.side.name for side in (a, b) if not side.machine]
    if len(unknown) < 2:
        yield f"machine: {f'not recorded for {unknown[0]}' if unknown else _listed(changed['machine']) or 'the same'}"


def _who(side: Side) -> str:
    return side.name if len(side.members) == 1 else f"{side.name} ({len(side.members)} seeds)"


def _listed(changes: Sequence[Change]) -> str:
    return ", ".join(
        f"{change.name} {wording.or_none(change.before)} → {wording.or_none(change.after)}" for change in changes
    )


def _file_change(change: Change) -> str:
    if change.before is None:
        return f"{change.name} (new)"
    return f"{change.name} (gone)" if change.after is None else change.name


def _side(results: Results) -> dict[str, Any]:
    seeds = [
        {"name": one.name, "verdict": one.figures.verdict, "collapsed": one.figures.collapsed}
        for one in results.side.members
    ]
    return {"name": results.side.name, "recipe": results.side.recipe, "seeds": seeds}


def _change(change: Change) -> dict[str, Any]:
    return {"name": change.name, "a": change.before, "b": change.after, "budget": change.of_budget}


def _metric(compared: Compared) -> dict[str, Any]:
    low, high = compared.difference.interval() if compared.difference else (None, None)
    return {
        "name": compared.metric.name,
        "row": wording.row(compared),
        "better": compared.metric.better.value,
        "scale": compared.metric.scale.value,
        "a": _value(compared.a),
        "b": _value(compared.b),
        "difference": compared.estimate,
        "low": low,
        "high": high,
        "p": compared.p,
        "verdict": compared.verdict.value,
    }


def _value(value: Value) -> dict[str, Any]:
    return {
        "value": value.mean,
        "low": value.interval.low if value.interval else None,
        "high": value.interval.high if value.interval else None,
        "real": value.real,
        "seeds": value.seeds,
        "missing": value.missing,
        "nan": value.not_finite,
    }
