"""Summarises a group of seeds for MLflow and in words. Knows nothing of MLflow."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnistgan import reading
from mnistgan.comparison import seeds
from mnistgan.comparison.seeds import SeedRow, Summary, summarise
from mnistgan.errors import DataError
from mnistgan.files import write_bytes
from mnistgan.metrics.catalog import PRIMARY, Scale, Shown, shown
from mnistgan.metrics.rounding import rounded
from pipeline import output
from pipeline.results import former
from pipeline.tracking.publication import Point, score

FEWEST = 2
"""Seeds that make a group."""
PREFIX = "seeds/"
NOTE_CHARACTERS = 7500
"""MLflow refuses a note of more than 8000."""
SHOWN = shown(Shown.SEEDS)


@dataclass(frozen=True)
class Group:
    """The seeds of one recipe, as far as they are recorded."""

    rows: tuple[SeedRow, ...]  # one or more, all of one digest, by seed
    wanted: int  # how many there are to be

    @property
    def recipe(self) -> str:
        return self.rows[0].recipe

    @property
    def digest(self) -> str:
        return self.rows[0].digest

    @property
    def is_complete(self) -> bool:
        return len(self.rows) >= self.wanted

    @property
    def collapsed(self) -> int:
        """Number of seeds that collapsed: counted, and not averaged in."""
        return sum(row.figures.collapsed for row in self.rows)

    @property
    def summaries(self) -> list[Summary]:
        """Summarises each metric over the seeds that did not collapse."""
        return summarise([row.figures for row in self.rows])

    @property
    def name(self) -> str:
        return f"{self.recipe}/seeds · {self.digest}"

    def points(self) -> Iterator[Point]:
        """Points of its run, at the number of seeds as their step, so that a chart shows the mean settle."""
        step = len(self.rows)
        yield Point(f"{PREFIX}count", step, float(step))
        yield Point(f"{PREFIX}collapsed", step, float(self.collapsed))
        for summary in self.summaries:
            if Shown.SCORES not in summary.metric.shown:
                continue
            ends = {"mean": summary.mean, "sd": summary.deviation, "low": summary.low, "high": summary.high}
            yield from _points(summary.name, step, ends)
            if summary.metric.scale is Scale.LOG:
                back = {end: math.exp(value) for end, value in ends.items() if value is not None and end != "sd"}
                yield from _points(summary.metric.short, step, back)
            yield Point(score(summary.metric.name), step, rounded(summary.metric.scale.back(summary.mean)))

    def headline(self) -> str:
        """Words the group in one sentence."""
        primary = next((one for one in self.summaries if one.metric.name == PRIMARY), None)
        parts = [f"{len(self.rows)} of {self.wanted} seeds" if not self.is_complete else f"{len(self.rows)} seeds"]
        parts[0] += f" of recipe {self.recipe} ({self.digest})"
        if primary is None:
            parts.append("none that did not collapse has a FID")
        elif primary.deviation is None or primary.low is None or primary.high is None:
            parts.append(f"FID {math.exp(primary.mean):.4g}")
        else:
            low, high = math.exp(primary.low), math.exp(primary.high)
            parts.append(f"FID {math.exp(primary.mean):.4g}, 95% interval of the mean {low:.4g} to {high:.4g}")
            parts.append(f"sd of log FID {primary.deviation:.3g}")
        parts.append(f"{self.collapsed} collapsed")
        return "; ".join(parts)

    def note(self) -> str:
        """Words the group in Markdown: the sentence, a row a metric, a row a seed; of many seeds the first."""
        columns = ("metric", "mean", "sd", "95% interval of the mean", "seeds")
        summaries = self.summaries
        metrics = [*output.markdown_table(columns, map(_summary_row, summaries)), ""] if summaries else []
        of_seeds = output.markdown_table(
            ("seed", *(metric.short for metric in SHOWN), "verdict"), map(_seed_row, self.rows)
        )
        lines = [output.escaped(self.headline()), "", *metrics]
        for number, line in enumerate(of_seeds):
            if sum(map(len, lines)) + len(lines) + len(line) > NOTE_CHARACTERS:
                lines += ["", f"and {len(of_seeds) - number} more: all are in seeds.csv"]
                break
            lines.append(line)
        return "\n".join(lines) + "\n"


def of_file(path: Path) -> list[Group]:
    """Reads the groups of a seeds file, by digest; none where there is no file. Raises FormatError where it is none."""
    rows = read_rows(path)
    digests = sorted({row.digest for row in rows})
    found = [tuple(sorted((r for r in rows if r.digest == digest), key=lambda row: row.seed)) for digest in digests]
    return [Group(members, len(members)) for members in found if len(members) >= FEWEST]


def read_rows(path: Path) -> list[SeedRow]:
    """Reads the rows of a seeds file; none where there is no file. Raises FormatError where it is none."""
    try:
        return seeds.loads(former.seeds(reading.text(path)), str(path))
    except FileNotFoundError:
        return []
    except IsADirectoryError as error:
        raise DataError(f"{path}: a folder; give a file (.csv)") from error


def write(path: Path, group: Group) -> None:
    """Puts a group's rows in place of its recipe's in a seeds file, and leaves those of other recipes."""
    others = [row for row in read_rows(path) if row.digest != group.digest]
    write_bytes(path, seeds.dumps([*others, *group.rows]).encode())


def _points(name: str, step: int, ends: Mapping[str, float | None]) -> Iterator[Point]:
    for end, value in ends.items():
        if value is not None:
            yield Point(f"{PREFIX}{name}.{end}", step, rounded(value))


def _summary_row(summary: Summary) -> Sequence[str]:
    interval = f"{_number(summary.low)} to {_number(summary.high)}" if summary.low is not None else ""
    return summary.name, _number(summary.mean), _number(summary.deviation), interval, str(summary.seeds)


def _seed_row(row: SeedRow) -> Sequence[str]:
    values = (_number(row.figures.leaves.get(metric.name)) for metric in SHOWN)
    verdict = row.figures.verdict or ""
    return str(row.seed), *values, f"{verdict} (not averaged in)" if row.figures.collapsed else verdict


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
