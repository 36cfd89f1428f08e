import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ROOT, training
from benchmarks.ending import BenchmarkError


def test_without_data_a_training_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "DATA", tmp_path)
    with pytest.raises(BenchmarkError, match=r"data/train\.npz: no such file; `make repro`"):
        training.measure(epochs=1)


@pytest.mark.slow
def test_a_training_is_watched_with_the_process_that_publishes_it(
    mnist_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    outs = [word for name in ("train", "validation", "test") for word in (f"--{name}", str(data / f"{name}.npz"))]
    command = [sys.executable, "-m", "pipeline", "prepare", *outs, "--summary", str(data / "summary.json")]
    data.mkdir()
    subprocess.run([*command, "--cache", str(mnist_cache)], cwd=ROOT, check=True)
    monkeypatch.setattr(training, "DATA", data)
    costs = training.measure(epochs=1, images=1600)
    assert costs.epochs == 1
    assert costs.images_per_second > 0
    assert 0 < costs.loop_share < 1
    assert costs.publishing_share > 0
    assert costs.tracking_share >= costs.loop_share + costs.publishing_share
    assert costs.peak_mib > costs.publishing_peak_mib > 50
