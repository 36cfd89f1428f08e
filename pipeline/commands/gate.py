"""Judges a result by gate.yaml's rules, beside the result that it would follow."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mnistgan.comparison import rules as judging
from mnistgan.comparison import sides
from mnistgan.comparison.rules import Judged, Outcome
from mnistgan.comparison.seeds import SeedRow
from mnistgan.comparison.wording import same
from pipeline import output
from pipeline.commands.diff import files_of_run
from pipeline.results import datasets, lookup
from pipeline.results.checkout import Results
from pipeline.results.rules import RULES, of, read

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}
WORDS = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive"}


def gate(
    base: Annotated[str, typer.Option(help="What to compare with: whatever `diff` takes, for instance main.")],
    head: Annotated[str, typer.Option(help="What to hold to the rules: whatever `diff` takes.")] = "workspace",
    rules: Annotated[Path, typer.Option(help="The rules.")] = RULES,
    markdown: output.Markdown = None,
    json: output.Json = None,
) -> None:
    """Judge a result by the rules of gate.yaml.

    Exits with 0 where it passed, 1 failed, 3 inconclusive, 2 on bad use. A rule passes where the one-sided 95% bound of
    what it asks about is inside its margin. A rule about the head alone takes the interval of the samples that its file
    holds, and fails where all of it is outside. One that compares with the base takes the spread between seeds, of the
    two groups and of what metrics/seeds.csv records for the base's or the head's recipe, and fails where the head is
    shown to be worse and not shown to be inside the margin. Between, it is inconclusive, and says how many seeds a
    side would decide it. Without a spread such a rule can't pass, unless both are identical. The gate never passes (3)
    where the figures are not those that dvc.lock records, or the two were measured otherwise: by other code, or the
    same weights with other figures. gate.yaml has a block of rules for each data set; results on two do not compare
    (2). No network and no MLflow. See docs/comparing.md.
    """
    output.check_outputs({"--markdown": markdown, "--json": json})
    blocks = read(rules)
    of_base, of_head = lookup.read(base, files_of_run), lookup.read(head, files_of_run)
    asked = of(datasets.check_same(of_base, of_head) or datasets.named_here(), blocks, rules)
    pair, doubts = (of_base.side, of_head.side), (*of_head.doubts, *of_base.doubts)
    judged = judging.judge(asked, *pair, _spread(of_base, of_head), base_in_doubt=bool(of_base.doubts))
    measured = sides.measured_otherwise(*pair)
    otherwise = f"measured otherwise: {measured}" if measured else sides.measured_by_others(*pair)
    outcome = judging.overall(judged, [*doubts, *filter(None, [otherwise])])
    _result(outcome, judged, of_base, of_head, otherwise).give(markdown, json)
    raise typer.Exit(EXIT_CODES[outcome.value])


def _spread(base: Results, head: Results) -> list[SeedRow]:
    """The recorded seeds; of a recipe that the base records, the base's: no head sets what it is measured by."""
    counts = Counter(row.digest for row in base.seeds)
    known = {digest for digest, count in counts.items() if count >= 2}
    others = [row for row in lookup.recorded_seeds(base, head) if row.digest not in known]
    return [*(row for row in base.seeds if row.digest in known), *others]


def _result(
    outcome: Outcome, judged: Sequence[Judged], base: Results, head: Results, otherwise: str | None
) -> output.Result:
    """Words the rules' outcomes; ``otherwise``: why the figures can't be held against each other at all."""
    order = ("fail", "inconclusive", "pass")
    headline, notes = _headline(outcome, judged, base, head, otherwise), list(dict.fromkeys((*base.notes, *head.notes)))
    rows = [(one.outcome.value, one.name, one.rule, _found(one)) for one in judged]
    return output.Result(
        headline=headline,
        legend=f"head: {head.side.name}; base: {base.side.name}; one-sided 95% bounds",
        columns=("outcome", "figure", "rule", "found"),
        rows=sorted(rows, key=lambda row: order.index(row[0])),
        notes=notes,
        content={
            "outcome": outcome.value,
            "headline": headline,
            "decided_by": _decided_by(judged) if outcome is Outcome.INCONCLUSIVE else None,
            "contradiction": sides.contradiction(base.side, head.side),
            "measured_otherwise": otherwise,
            "base_doubts": list(base.doubts),
            "head_doubts": list(head.doubts),
            "base": base.side.name,
            "head": head.side.name,
            "rules": [{"figure": name, "rule": rule, "outcome": said, "found": why} for said, name, rule, why in rows],
            "notes": notes,
        },
    )


def _headline(outcome: Outcome, judged: Sequence[Judged], base: Results, head: Results, otherwise: str | None) -> str:
    counts = {word: sum(one.outcome.value == word for one in judged) for word in EXIT_CODES}
    counted = ", ".join(f"{count} {WORDS[word]}" for word, count in counts.items() if count)
    told = f"gate {WORDS[outcome.value]}: {counted} of {len(judged)} rules"
    if outcome is Outcome.INCONCLUSIVE and (would := _decided_by(judged)):
        told += f"; {would}"
    if doubts := (*head.doubts, *base.doubts):
        told += f", of figures in doubt: {doubts[0]}"
    if otherwise:
        return f"{otherwise}; {told}"
    if not doubts and sides.are_identical(base.side, head.side):
        return f"{told}; identical to the base: {same(base.side, head.side)}"
    return told


def _found(one: Judged) -> str:
    return f"{one.said}; {one.decided_by}" if one.decided_by else one.said


def _decided_by(judged: Sequence[Judged]) -> str | None:
    """Says what would decide the rules about the change that are inconclusive; None where no number of seeds would."""
    return "; ".join(f"{one.name}: {one.decided_by}" for one in judged if one.decided_by) or None
