"""Compares two results: the verdict first, then the causes and figures that differ."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from mnistgan.comparison import wording
from mnistgan.comparison.compare import Compared, Comparison, Value, Verdict, compare
from mnistgan.comparison.sides import Change, Side
from pipeline import output
from pipeline.results import answers, datasets, lookup
from pipeline.results.checkout import Results

SOURCE = (
    "A git commit, branch or tag, a DVC experiment, REV:PATH, a metrics file, a seeds file, a folder of results, a "
    "folder or glob of metrics files, run:ID of an MLflow run, `workspace`, or several of them joined by commas."
)

Margin = Annotated[
    float, typer.Option(min=1, max=1000, help="The difference in FID, in percent, that seeds are planned for.")
]
MARGIN = 25.0


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=SOURCE)],
    b: Annotated[str, typer.Argument(metavar="B", help="The same; it is judged beside A.")],
    markdown: output.Markdown = None,
    json: output.Json = None,
    margin: Margin = MARGIN,
) -> None:
    """Tell whether B is better or worse than A.

    Or that they are identical, or that it can't be told yet. Log FID decides, at 5%: by Student's t, seeds unpaired,
    with the spread between seeds pooled from the groups and from what metrics/seeds.csv records for A's or B's recipe;
    where these spreads differ grossly, by Welch's test of the groups alone. Where a side has one seed and nothing is
    recorded, the other's group tells the spread; without one it can't be told. Equal pins and figures are identical;
    the same weights with other figures, or by other measuring code, are measured otherwise. Seeds that collapsed are
    counted, by Fisher's exact test, and not averaged in; where there are any, both tests share the 5%. All other
    metrics are shown with p adjusted by Holm and decide nothing. What would decide it (so many seeds a side) follows
    from the spread and --margin, never from the difference that was seen.

    Results on two data sets, or measured by other rulers, do not compare (exit code 2). See docs/comparing.md.
    """
    output.check_outputs({"--markdown": markdown, "--json": json})
    result(*compared(a, b, margin)).give(markdown, json)


def files_of_run(run: str, names: Sequence[str]) -> Mapping[str, bytes]:
    """Fetches those of these files that an MLflow run holds; nothing of MLflow is loaded before."""
    from pipeline.tracking.reading import read_files

    return read_files(run, names)


def compared(a: str, b: str, margin: float) -> tuple[Comparison, Results, Results]:
    """Compares what two names mean, for a margin in percent."""
    of_a, of_b = lookup.read(a, files_of_run), lookup.read(b, files_of_run)
    datasets.check_same(of_a, of_b)
    return compare(of_a.side, of_b.side, lookup.recorded_seeds(of_a, of_b), margin / 100), of_a, of_b


def result(found: Comparison, a: Results, b: Results) -> output.Result:
    """Words a comparison of two sides, with what differs in their params, data and code."""
    changed = answers.changed(a, b)
    headline, sides = wording.headline(found), f"A: {_who(found.a)}; B: {_who(found.b)}"
    notes = answers.notes(found, a, b)
    of, metrics = found.collapses, (found.primary, *found.others)
    return output.Result(
        headline=headline,
        legend=f"{sides}; 95% intervals; ↓ lower is better, ↑ higher, ≈ nearer to real",
        lines=tuple(answers.lines(a, b, changed)),
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


def _who(side: Side) -> str:
    return side.name if len(side.members) == 1 else f"{side.name} ({len(side.members)} seeds)"


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
