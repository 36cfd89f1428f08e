import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.record import Real, Trained
from mnistgan.errors import DataError, UsageError
from mnistgan.metrics.looks import Look, table
from pipeline import runtime
from pipeline.dvcfiles import digests, dvc_lock
from pipeline.runs import journal, keys

LOOKS = tuple(Look(epoch, 1000 * epoch, 20.0 / epoch, 2.0, 0.01, 0.09, 0.9, 0, "", 0.7, 0.01) for epoch in (1, 2))
REAL = Real(replace(LOOKS[0], fid=10.0, fid_pixels=0.5), replace(LOOKS[0], fid=1.0, fid_pixels=0.25))


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose dvc.lock records a training of two looks, at 500 images a second."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / ".dvc").mkdir()
    versions = tmp_path / "models" / "versions.json"
    versions.parent.mkdir()
    versions.write_text(json.dumps(runtime.installed_versions()))
    looks = tmp_path / "metrics" / "looks.csv"
    looks.parent.mkdir()
    looks.write_text(table(LOOKS))
    outs = [looks, versions]
    entry: dict[str, Any] = {
        "cmd": "python -m pipeline train --versions models/versions.json --looks metrics/looks.csv",
        "params": {"params.yaml": {"train": {"recipe": "fast", "seed": 7}, "recipes.fast": {"batch_size": 50}}},
        "outs": [{"path": str(out.relative_to(tmp_path)), "md5": digests.md5_of(out)} for out in outs],
    }
    (tmp_path / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": {"train": entry}}))
    write_journal(tmp_path)
    return tmp_path


def key_of(folder: Path) -> str:
    part = dvc_lock.parts_of(dvc_lock.read(folder))["train"]
    return keys.train_key(part, runtime.installed_versions())


def write_journal(folder: Path) -> None:
    start = {"event": "start", "cpu": "a processor"}
    speed = {"event": "progress", "images_per_second": 500.0, "overhead_share": 0.1}
    at = {"stage": "train", "time": "2026-01-01T00:00:00+00:00"}
    path = journal.path_of(folder, key_of(folder))
    path.parent.mkdir()
    path.write_text("".join(json.dumps({**at, **event}) + "\n" for event in (start, speed)))


def test_a_look_is_timed_by_the_images_until_it_and_what_was_spent_beside_them(trained: Path) -> None:
    run = Trained.of(trained).run("fast_7", REAL)
    # 1,000 steps of 50 images at 500 a second are 100 s; they are nine tenths of the time.
    assert [look.seconds for look in run.looks] == [111.1, 222.2]
    assert [look.relative for look in run.looks] == [2.0, 1.0]
    assert run.looks[0].floor == 0.1
    assert (run.recipe, run.seed, run.looks[0].processor) == ("fast", 7, "a processor")
    assert key_of(trained).startswith(run.looks[0].key)


def test_a_speed_that_was_measured_apart_times_the_looks(trained: Path) -> None:
    run = Trained.of(trained, images_per_second=1000.0).run("fast_7", REAL)
    assert [look.seconds for look in run.looks] == [55.6, 111.1]


def test_an_experiment_is_recorded_by_its_name(trained: Path) -> None:
    def git(*words: str) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *identity, *words], cwd=trained, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init")
    git("add", "dvc.lock", "metrics")
    git("commit", "-m", "trained")
    git("update-ref", f"refs/exps/ab/{'c' * 38}/wet-sock", "HEAD")
    before = Trained.of(trained)
    (trained / "metrics" / "looks.csv").unlink()
    assert Trained.of(trained, "wet-sock") == before == Trained.of(trained, "HEAD")
    with pytest.raises(UsageError, match="no commit and no experiment"):
        Trained.of(trained, "dry-sock")


def test_looks_that_are_not_those_recorded_are_refused(trained: Path) -> None:
    (trained / "metrics" / "looks.csv").write_text(table(LOOKS[:1]))
    with pytest.raises(DataError, match=r"looks\.csv: not the one that dvc\.lock records"):
        Trained.of(trained)


def test_a_training_without_a_journal_has_no_times(trained: Path) -> None:
    journal.path_of(trained, key_of(trained)).unlink()
    with pytest.raises(DataError, match="no such journal"):
        Trained.of(trained)


def test_a_lock_without_a_training_is_told(trained: Path) -> None:
    (trained / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": {}}))
    with pytest.raises(UsageError, match="records no training"):
        Trained.of(trained)
