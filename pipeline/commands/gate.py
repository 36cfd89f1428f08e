"""Judges a result by gate.yaml's rules, beside the result that it would follow."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mnistgan.comparison import rules as judging
from mnistgan.comparison import sides
from mnistgan.comparison.rules import Judged, Outcome
from mnistgan.comparison.seeds import SeedRow
from mnistgan.comparison.wording import same
from pipeline import output
from pipeline.commands.diff import files_of_run
from pipeline.results import lookup
from pipeline.results.checkout import Results
from pipeline.results.rules import RULES, read

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
    what it asks about is inside its margin, fails where the whole interval between both bounds is outside, and is
    inconclusive between. A rule about the head alone takes the interval of the samples that its file holds. One that
    compares with the base takes the spread between seeds: of the two groups, or that which metrics/seeds.csv records
    for the base's or the head's recipe. Where neither is there, such a rule can't pass, unless both are identical. The
    gate never passes (3) where the figures are not those that dvc.lock records, or the two were measured otherwise: by
    other code, or the same weights with other figures. No network and no MLflow. See docs/comparing.md.
    """
    output.check_outputs({"--markdown": markdown, "--json": json})
    asked = read(rules)
    of_base, of_head = lookup.read(base, files_of_run), lookup.read(head, files_of_run)
    pair, doubts = (of_base.side, of_head.side), (*of_head.doubts, *of_base.doubts)
    judged = judging.judge(asked, *pair, _spread(of_base, of_head), base_in_doubt=bool(of_base.doubts))
    measured = sides.measured_otherwise(*pair)
    otherwise = f"measured otherwise: {measured}" if measured else sides.measured_by_others(*pair)
    outcome = judging.overall(judged, [*doubts, *filter(None, [otherwise])])
    result = GateResult(outcome, judged, of_base, of_head, sides.contradiction(*pair), otherwise)
    result.give(markdown, json)
    raise typer.Exit(EXIT_CODES[outcome.value])


def _spread(base: Results, head: Results) -> list[SeedRow]:
    """The recorded seeds; of a recipe that the base records, the base's: no head sets what it is measured by."""
    counts = Counter(row.digest for row in base.seeds)
    known = {digest for digest, count in counts.items() if count >= 2}
    others = [row for row in lookup.recorded_seeds(base, head) if row.digest not in known]
    return [*(row for row in base.seeds if row.digest in known), *others]


@dataclass(frozen=True)
class GateResult(output.Result):
    """The rules' outcomes, and whether the figures can be held against each other at all."""

    columns = ("outcome", "figure", "rule", "found")
    outcome: Outcome
    judged: Sequence[Judged]
    base: Results
    head: Results
    contradiction: str | None
    otherwise: str | None
    """Why the figures can't be held against each other: the contradiction, or what else measured one of the two."""

    @property
    def headline(self) -> str:
        counts = {word: sum(one.outcome.value == word for one in self.judged) for word in EXIT_CODES}
        counted = ", ".join(f"{count} {WORDS[word]}" for word, count in counts.items() if count)
        told = f"gate {WORDS[self.outcome.value]}: {counted} of {len(self.judged)} rules"
        if doubts := (*self.head.doubts, *self.base.doubts):
            told += f", of figures in doubt: {doubts[0]}"
        if self.otherwise:
            return f"{self.otherwise}; {told}"
        if not doubts and sides.are_identical(self.base.side, self.head.side):
            return f"{told}; identical to the base: {same(self.base.side, self.head.side)}"
        return told

    def legend(self) -> str:
        return f"head: {self.head.side.name}; base: {self.base.side.name}; one-sided 95% bounds"

    def rows(self) -> Iterator[tuple[str, ...]]:
        order = ("fail", "inconclusive", "pass")
        for one in sorted(self.judged, key=lambda one: order.index(one.outcome.value)):
            yield one.outcome.value, one.name, one.rule, one.said

    def notes(self) -> Iterator[str]:
        yield from dict.fromkeys((*self.base.notes, *self.head.notes))

    def content(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome.value,
            "headline": self.headline,
            "contradiction": self.contradiction,
            "measured_otherwise": self.otherwise,
            "base_doubts": list(self.base.doubts),
            "head_doubts": list(self.head.doubts),
            "base": self.base.side.name,
            "head": self.head.side.name,
            "rules": [
                {"figure": one.name, "rule": one.rule, "outcome": one.outcome.value, "found": one.said}
                for one in self.judged
            ],
            "notes": list(self.notes()),
        }
