"""Prints to the terminal: progress on stderr, one line of results on stdout."""

import codecs
import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from mnistgan.progress import Progress

PLAIN_LINE_SECONDS = 10.0
PLAIN = dict(zip("→×±…↑↓≈²–·‘’“”─━│└├", ("->", "x", "+-", "...", *"^v~2--''\"\"--|`|"), strict=True))
"""What is printed in place of a character that the terminal's encoding lacks; any other by its number."""


def settle() -> None:
    """Makes stdin, stdout and stderr such that printing never fails a command, whatever a person or service set up.

    What their encoding can't hold is printed in plain characters; what nobody reads any more goes nowhere.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # else the next file that is opened would be taken for the stream
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free
    codecs.register_error("plain", _plainly)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the end
    sys.stdout, sys.stderr = _outlet(1, sys.stdout), _outlet(2, sys.stderr)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lost = error.object[error.start : error.end]
    return "".join(PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in lost), error.end


def _outlet(number: int, before: TextIO | None) -> io.TextIOWrapper:
    """Wraps a stream; a closed one becomes one that goes nowhere."""
    return io.TextIOWrapper(
        io.BufferedWriter(_Outlet(number, "w", closefd=False)),
        encoding=getattr(before, "encoding", "utf-8"),
        errors="plain",
        line_buffering=getattr(before, "line_buffering", True),
        write_through=getattr(before, "write_through", False),
    )


class _Outlet(io.FileIO):
    """A file whose reader may leave, as `head` does: the command goes on, and its exit code stays."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), self.fileno())
            return memoryview(data).nbytes


def lacking(error: ImportError) -> int:
    """Says that this Python lacks a library; returns the exit code for that."""
    print(
        f"error: {error}: {sys.executable} is not the environment that requirements.lock names; "
        "`make venv` makes it, then `. .venv/bin/activate`",
        file=sys.stderr,
    )
    return 2


def summary(line: str) -> None:
    """Prints a command's result: one line with its numbers, on stdout."""
    print(line, flush=True)


def say(line: str) -> None:
    """Prints a remark on stderr."""
    print(line, file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """Prints a warning on stderr."""
    print(f"warning: {line}", file=sys.stderr, flush=True)


@contextmanager
def progress() -> Iterator[Progress]:
    """Shows tasks as bars with the time left on a terminal, as a plain line now and then elsewhere; on stderr."""
    if sys.stderr.isatty():
        with _bars() as report:
            yield report
    else:
        yield _PlainLines()


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        ids = {}

        def report(task: str, done: int, total: int, note: str = "") -> None:
            if task not in ids:
                ids[task] = bars.add_task(task, total=total, completed=done, note=note)
            bars.update(ids[task], completed=done, total=total, note=note)

        yield report


class _PlainLines:
    """Prints a line when a task starts, ends, and every ten seconds between."""

    def __init__(self) -> None:
        self._started: dict[str, tuple[float, int]] = {}  # a resumed task does not start at 0
        self._printed: dict[str, float] = {}

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        first = task not in self._started
        started, begun_at = self._started.setdefault(task, (now, done))
        if not first and done < total and now - self._printed[task] < PLAIN_LINE_SECONDS:
            return
        self._printed[task] = now
        made = done - begun_at
        minutes, seconds = divmod(round((now - started) / made * (total - done)) if made else 0, 60)
        left = f", {minutes}:{seconds:02d} left" if made and done < total else ""
        print(f"{task}: {done}/{total}{left}{', ' + note if note else ''}", file=sys.stderr, flush=True)
