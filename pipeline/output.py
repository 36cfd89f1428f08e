"""Formats results as a table on the terminal, Markdown or JSON."""

import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import typer

from mnistgan.errors import UsageError
from pipeline import console
from pipeline.places import Out, refused

STDOUT = Path("-")
PIPED_WIDTH = 200  # columns, where no terminal says how many there are
LEAST_WIDTH = 8  # columns, of a cell that needs more: a table with less is no table
_HEADLINE = re.compile(
    r"\*\*(?:better|worse|can't tell yet|identical|measured otherwise|measured by other code|gate \w+): "
)
SPECIAL = ("\\", "|", "*", "_", "<", ">", "[", "]", "`", "~")

Markdown = Annotated[Path | None, typer.Option(help="Write the result as Markdown, to a file or (-) to stdout alone.")]
Json = Annotated[
    Path | None, typer.Option("--json", help="Write the result as JSON, to a file or (-) to stdout alone.")
]


def check_outputs(places: Mapping[str, Path | None]) -> None:
    """Checks the places that options write to, before any work.

    Raises UsageError where two go to one place, one can't be written, or is something else than what this option wrote
    before.
    """
    asked = {option: path for option, path in places.items() if path is not None}
    for (one, path), (other, same) in combinations(asked.items(), 2):
        if path == same:
            place = "stdout" if path == STDOUT else str(path)
            raise UsageError(f"{one} {path} and {other} {path}: {place} holds one of the two; give the other a file")
    for option, path in asked.items():
        if path != STDOUT and (why := refused(path, Out(ending="")) or _of_another(option, path)):
            raise UsageError(f"can't write there: {option} {path}: {why}")


def _of_another(option: str, path: Path) -> str | None:
    """Says why the file that is there must not be replaced; None where the option wrote it, or there is none."""
    try:
        content = path.read_bytes().strip() if path.exists() else b""
    except OSError as error:
        return f"can't be read: {error.strerror or error}"
    if not content or EARLIER[option](content.decode("utf-8", "replace")):
        return None
    return "there is another file of this name, which no such command wrote; give a new name, or remove it first"


def _is_our_json(text: str) -> bool:
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(held, dict) and {"headline", "notes"} <= held.keys()


EARLIER: Mapping[str, Callable[[str], bool]] = {
    "--out": lambda text: '<section id="verdict"' in text or '<section id="wall"' in text,
    "--markdown": lambda text: bool(_HEADLINE.match(text)),
    "--json": _is_our_json,
}
"""What tells a file that an option wrote before from a person's own."""


@dataclass(frozen=True)
class Result:
    """What a comparing command found: a table for a terminal, Markdown for a pull request, JSON for a program."""

    headline: str  # the verdict and what decided it, in a line
    legend: str  # which results these are, and how to read the table
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]  # for the reader
    content: Mapping[str, Any]  # everything, as JSON holds it; what is NaN or missing becomes null
    lines: Sequence[str] = ()  # between the headline and the table

    def give(self, markdown: Path | None, json: Path | None) -> None:
        """Writes the files that options ask for, and prints the table unless one of them goes to stdout."""
        if STDOUT not in (markdown, json):
            for line in (self.headline, *self.lines):
                console.summary(line)
            show_table(self.legend, self.columns, self.rows)
            for note in self.notes:
                console.summary(f"note: {note}")
        write("--markdown", markdown, self.markdown)
        write("--json", json, lambda: as_json(self.content))

    def markdown(self) -> str:
        """Formats the result as Markdown."""
        between = [f"- {escaped(line)}" for line in self.lines]
        lines = [f"**{escaped(self.headline)}**", "", *([*between, ""] if between else []), escaped(self.legend), ""]
        lines += [*markdown_table(self.columns, self.rows), ""]
        lines += [f"- note: {escaped(note)}" for note in self.notes]
        return "\n".join(lines).rstrip() + "\n"


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table, as wide as the terminal; wide enough not to wrap where there is none.

    On a terminal too narrow for its columns, each row as lines instead.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    held = list(rows)
    for row in held:
        table.add_row(*row)
    wide = None if sys.stdout.isatty() else PIPED_WIDTH
    terminal = Console(width=wide, markup=False, highlight=False, emoji=False)
    if terminal.width >= sum(min(LEAST_WIDTH, max(map(len, cells))) + 1 for cells in zip(columns, *held, strict=True)):
        terminal.print(table)
        return
    console.summary(title)
    for first, *others in held:
        console.summary(f"\n{first}")
        for column, cell in zip(columns[1:], others, strict=True):
            console.summary(f"  {column}: {cell}")


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Formats a table as lines of Markdown."""
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(map(escaped, row))} |" for row in rows),
    ]


def escaped(text: str) -> str:
    """Escapes text for Markdown: a branch may have any name."""
    for mark in SPECIAL:
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def write(option: str, path: Path | None, content: Callable[[], str]) -> None:
    """Writes what an option asks for, to its file or to stdout. Raises UsageError where the file can't be written."""
    if path is None:
        return
    if path == STDOUT:
        sys.stdout.write(content())
        return
    from mnistgan import files

    try:
        files.write_bytes(path, content().encode())
    except OSError as error:
        raise UsageError(f"{option} {path}: can't be written: {error.strerror or error}") from error


def write_between(path: Path, begin: str, end: str, lines: Sequence[str]) -> None:
    """Puts lines in place of those between two of a Markdown file. Raises UsageError where it does not hold the two."""
    from mnistgan import files

    text = path.read_text("utf-8") if path.is_file() else ""
    before, begun, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not ended:
        raise UsageError(f"{path}: has no lines {begin.strip()} and {end.strip()}; write them where it should be")
    held = "\n".join(["", *lines, "", ""])
    files.write_bytes(path, f"{before}{begun}{held}{ended}{after}".encode())


def as_json(content: Any) -> str:
    """Formats JSON, with null for what is NaN or infinite: JSON has neither."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
