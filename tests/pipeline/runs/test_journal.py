"""A journal's file is open for as long as its stage is at work, and no longer."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.runs import journal
from pipeline.runs.journal import Outcome


def test_a_stage_whose_surroundings_can_not_be_told_leaves_no_journal_that_seems_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> dict[str, Any]:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a processor's name")

    monkeypatch.setattr(journal, "_surroundings", refuse)
    path = tmp_path / "journal.jsonl"
    with pytest.raises(UnicodeDecodeError), journal.recording(path, "train"):
        raise AssertionError("the stage began")
    assert not journal.is_live(path)
    assert [event.facts["outcome"] for event in journal.read(path)] == [Outcome.FAILED]
    journal.note(number=1)  # to no one
    assert len(journal.read(path)) == 1


def test_a_file_system_without_locks_leaves_no_file_open_and_stops_no_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(journal.fcntl, "flock", refuse)
    ran = []
    with journal.recording(tmp_path / "journal.jsonl", "train"):  # an open file left to the collector is an error here
        ran.append("it")
    assert ran == ["it"]
    assert "can't be written, so this run goes unrecorded: No locks available" in capsys.readouterr().err


def test_who_looks_whether_a_stage_is_at_work_is_not_taken_for_the_stage_by_another_who_looks(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with journal.recording(path, "train"):
        assert journal.is_live(path)
    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(journal.is_live, [path] * 2000))
