"""What a person sees: bars on a terminal, a line now and then elsewhere, the result alone on stdout."""

import io
import sys
import time

import pytest

from pipeline import console


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds that the console reads, to be set by the test."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_a_task_gives_its_first_and_last_line_and_one_each_ten_seconds_between(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress() as report:
        for done in range(26):
            report("train", done, 25)
            clock[0] += 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "train: 0/25\ntrain: 10/25, 0:15 left\ntrain: 20/25, 0:05 left\ntrain: 25/25\n"


def test_each_task_has_lines_of_its_own(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress() as report:
        report("fetch", 0, 2)
        report("read", 0, 3)
        clock[0] += 90
        report("fetch", 1, 2, "from npm")
        report("read", 1, 3)
        report("read", 2, 3)
    assert capsys.readouterr().err.splitlines() == [
        "fetch: 0/2",
        "read: 0/3",
        "fetch: 1/2, 1:30 left, from npm",
        "read: 1/3, 3:00 left",
    ]


def test_a_resumed_task_is_announced_and_its_time_left_counts_from_where_it_went_on(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress() as report:
        report("train", 800, 1000)
        clock[0] += 10
        report("train", 900, 1000)
    assert capsys.readouterr().err.splitlines() == ["train: 800/1000", "train: 900/1000, 0:10 left"]


def test_on_a_terminal_a_task_is_a_bar_with_its_count_and_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with console.progress() as report:
        report("train", 0, 4)
        report("train", 4, 4, "loss 0.7")
    shown = terminal.getvalue()
    assert "━" in shown
    assert "4/4" in shown
    assert "loss 0.7" in shown
    assert "\x1b[" in shown
    assert capsys.readouterr().out == ""


def test_the_result_goes_to_stdout_and_a_warning_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.summary("FID 2.1")
    console.warn("no store")
    assert capsys.readouterr() == ("FID 2.1\n", "warning: no store\n")
