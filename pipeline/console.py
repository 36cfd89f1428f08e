"""What a person sees on the terminal: progress on stderr, one line of results on stdout."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mnistgan.progress import Progress

PLAIN_LINE_SECONDS = 10.0


def summary(line: str) -> None:
    """Print a command's result: one line with its numbers, on stdout."""
    print(line, flush=True)


def say(line: str) -> None:
    """Print on stderr what a person may want to know on the way."""
    print(line, file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """Print a warning on stderr."""
    print(f"warning: {line}", file=sys.stderr, flush=True)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show tasks as bars with the time left on a terminal, as a plain line now and then elsewhere; on stderr."""
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
    """A line when a task starts, ends, and every ten seconds between."""

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
        left = f", {_clock((now - started) / made * (total - done))} left" if made and done < total else ""
        print(f"{task}: {done}/{total}{left}{', ' + note if note else ''}", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
