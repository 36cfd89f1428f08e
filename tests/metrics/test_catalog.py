"""The one table of metrics: whatever shows metrics reads it, so that a new one takes a row."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnistgan.evaluation.verdict import EVIDENCE, scores
from mnistgan.metrics.catalog import COMPANIONS, KNOWN, METRICS, Better
from mnistgan.metrics.looks import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
ROW = 'Metric("pixels.ink", "ink"'
CALL = '        "ink": generated.ink,\n'
IMPORT = "from mnistgan.progress import Progress, silent\n"
NEW = """
import sys
from pathlib import Path
import numpy as np
from mnistgan.comparison.figures import Figures
from mnistgan.comparison.rules import judge, parse
from mnistgan.comparison.sides import Side, Trained
from mnistgan.comparison.compare import compare
from mnistgan.drawing.pictures import tables
from mnistgan.drawing.report.dots import metric_rows
from mnistgan.evaluation import measuring, verdict
from mnistgan.files import write_json
from mnistgan.metrics.rounding import rounded

images = np.random.default_rng(0).integers(0, 256, (4, 28, 28)).astype(np.uint8)
seen = measuring._Measured(images, None, None)
measured = rounded(measuring._pixels(seen, seen, seen))
report = {name: dict(section) if isinstance(section, dict) else section for name, section in BASE.items()}
report["pixels"] = measured
figures = Figures.of(report, "made up")
a, b = (Side(name, (Trained(name, figures),)) for name in "ab")
found = next(row for row in metric_rows(compare(a, b)) if row.name == "pixels.sharpness")
assert found.better == "higher is better" and found.real.value == 0.5
assert judge(parse({"pixels.sharpness": "at least 0.9 of real"}, "gate.yaml"), a, b, ())[0].outcome == "pass"
assert verdict.scores(report)["pixels"] == {"sharpness": measured["sharpness"]}
write_json(Path("evaluation.json"), report)
assert "sharpness" in [measure.name for measure in tables.metrics(Path("evaluation.json")).measures]
"""


def test_every_name_of_the_table_comes_once() -> None:
    companions = [name for metric in METRICS for name in metric.companions]
    assert len({*KNOWN, *companions}) == len(METRICS) + len(companions)
    assert not KNOWN.keys() & COMPANIONS
    assert all(metric.better is not Better.UNKNOWN for metric in METRICS)


def test_what_else_names_metrics_names_those_of_the_table() -> None:
    assert {evidence.key for evidence in EVIDENCE} <= KNOWN.keys()
    assert {metric.look for metric in METRICS if metric.look} <= set(COLUMNS)


def test_the_scores_are_a_dozen_numbers_by_the_evaluations_own_names(evaluation: dict[str, object]) -> None:
    found = scores(evaluation)
    assert found.pop("healthy") == 1
    leaves = {f"{section}.{name}": value for section, held in found.items() for name, value in held.items()}
    assert 5 <= len(leaves) <= 11
    for name, value in leaves.items():
        section, figure = name.split(".")
        assert evaluation[section][figure] == value  # type: ignore[index]


def test_a_new_metric_is_one_file_one_row_and_one_call(tmp_path: Path, evaluation: dict[str, object]) -> None:
    shutil.copytree(ROOT / "src" / "mnistgan", tmp_path / "mnistgan", ignore=shutil.ignore_patterns("__pycache__"))
    package = tmp_path / "mnistgan"
    (package / "metrics" / "sharpness.py").write_text("def sharpness(images): return float(images.std() / 100)\n")
    row = 'Metric("pixels.sharpness", "sharpness", Better.HIGHER, "pixels.sharpness_real", shown=_SCORES | _PICTURE)'
    _edit(package / "metrics" / "catalog.py", ROW, f"{row},\n    {ROW}")
    call = '        "sharpness": sharpness(samples.images),\n        "sharpness_real": 0.5,\n'
    _edit(package / "evaluation" / "measuring.py", CALL, f"{call}{CALL}")
    lines = f"from mnistgan.metrics.sharpness import sharpness\n{IMPORT}"
    _edit(package / "evaluation" / "measuring.py", IMPORT, lines)
    subprocess.run(
        [sys.executable, "-c", f"BASE = {evaluation!r}\n{NEW}"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=True,
    )


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def evaluation() -> dict[str, object]:
    """The committed evaluation, under today's names."""
    from pipeline.results import former

    committed = json.loads((ROOT / "metrics" / "evaluation.json").read_text("utf-8"))
    found: dict[str, object] = former.evaluation(committed)
    return found
