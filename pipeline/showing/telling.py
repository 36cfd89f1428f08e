"""How commands that compare tell what they found: a table on the terminal, Markdown, JSON."""

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mnistgan.errors import UsageError
from pipeline import console

STDOUT = Path("-")
PIPED_WIDTH = 200  # columns, where no terminal says how many there are
SPECIAL = ("\\", "|", "*", "_", "<", ">", "[", "]", "`", "~")

Markdown = Annotated[Path | None, typer.Option(help="Write it as Markdown, to a file or (-) to stdout alone.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write it as JSON, to a file or (-) to stdout alone.")]


def check_outputs(markdown: Path | None, as_json: Path | None) -> None:
    """Raises UsageError where both are asked for on stdout."""
    if markdown == as_json == STDOUT:
        raise UsageError("--markdown - and --json -: stdout holds one of the two; give the other a file")


def show(line: str) -> None:
    """Print a line of the result."""
    console.summary(line)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, as wide as the terminal; wide enough not to wrap where there is none."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    wide = None if sys.stdout.isatty() else PIPED_WIDTH
    Console(width=wide, markup=False, highlight=False, emoji=False).print(table)


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown."""
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(map(escaped, row))} |" for row in rows),
    ]


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: a branch may have any name."""
    for mark in SPECIAL:
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def write(option: str, path: Path | None, content: Callable[[], str]) -> None:
    """Write what an option asks for, to its file or to stdout. Raises UsageError where the file can't be written."""
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


def as_json(content: Any) -> str:
    """JSON with null for what is NaN or infinite: JSON has neither."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
