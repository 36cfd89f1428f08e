import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from mnistgan.comparison.rules import parse
from mnistgan.errors import GateError, UsageError
from mnistgan.params import yaml_document
from pipeline import ROOT
from pipeline.gate import gate
from tests import committed
from tests.comparison.made_up import COLLAPSED, write
from tests.pipeline.repository import Repository, recorded, repository

__all__ = ["recorded", "repository"]

RULES = """
verdict: healthy
fid: no worse than base by more than 25%
coverage: at least 0.5 of real   # a comment
classes.smallest_ratio: at least 0.5
"""
PASS, FAIL, INCONCLUSIVE = 0, 1, 3

Hold = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def hold(capsys: pytest.CaptureFixture[str]) -> Hold:
    """Gives the exit code of the gate and what `--json -` prints."""

    def call(base: str = "base", head: str = "workspace", rules: str = RULES) -> tuple[int, dict[str, Any]]:
        Path("gate.yaml").write_text(rules)
        with pytest.raises(typer.Exit) as exited:
            gate(base=base, head=head, json=Path("-"))
        return exited.value.exit_code, json.loads(capsys.readouterr().out)

    return call


def outcomes(told: dict[str, Any]) -> dict[str, str]:
    return {rule["figure"]: rule["outcome"] for rule in told["rules"]}


def test_a_change_that_keeps_every_rule_passes(repository: Repository, hold: Hold) -> None:
    repository.record(26.5, seed=3)
    code, told = hold()
    assert (code, told["outcome"]) == (PASS, "pass")
    assert set(outcomes(told).values()) == {"pass"}
    assert told["headline"] == "gate passed: 4 passed of 4 rules"


def test_a_change_that_makes_fid_worse_than_the_margin_fails(repository: Repository, hold: Hold) -> None:
    repository.record(60.0, batch_size=256)
    code, told = hold()
    assert code == FAIL
    assert outcomes(told) == {
        "verdict": "pass",
        "fid": "fail",
        "coverage": "pass",
        "classes.smallest_ratio": "pass",
    }


def test_a_change_within_the_noise_of_the_margin_is_inconclusive(repository: Repository, hold: Hold) -> None:
    repository.record(33.0, seed=3)
    code, told = hold()
    assert (code, outcomes(told)["fid"]) == (INCONCLUSIVE, "inconclusive")


@pytest.mark.parametrize(
    ("figure", "section"),
    [
        ("coverage", {"value": 0.3}),
        ("classes.smallest_ratio", {"smallest_ratio": 0.2}),
        ("verdict", COLLAPSED),
    ],
)
def test_a_change_that_breaks_one_rule_fails_by_that_rule_alone(
    repository: Repository, hold: Hold, figure: str, section: Any
) -> None:
    write(Path("head.json"), **{figure.split(".")[0]: section})
    write(Path("base.json"), fid=27.5)
    code, told = hold("base.json", "head.json", RULES.replace("fid: no worse than base by more than 25%", ""))
    assert code == FAIL
    assert [name for name, outcome in outcomes(told).items() if outcome == "fail"] == [figure]


def test_a_change_of_text_alone_passes_even_without_a_recorded_spread(repository: Repository, hold: Hold) -> None:
    repository.git("rm", "-q", "metrics/seeds.csv")
    repository.commit("bare")
    assert hold("bare", "workspace")[0] == PASS


def test_without_a_recorded_spread_a_change_is_inconclusive_and_why_is_said(repository: Repository, hold: Hold) -> None:
    repository.git("rm", "-q", "metrics/seeds.csv")
    repository.record(27.0)
    repository.commit("bare")
    repository.record(26.9, seed=1)
    code, told = hold("bare")
    assert code == INCONCLUSIVE
    assert "the spread between seeds is unknown" in told["rules"][1]["found"]


def test_the_spread_that_the_base_records_is_enough(repository: Repository, hold: Hold) -> None:
    repository.record(26.5, seed=3)
    (repository.root / "metrics" / "seeds.csv").unlink()
    assert hold("base")[0] == PASS


def test_the_table_and_the_markdown_name_what_failed_first(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("gate.yaml").write_text(RULES)
    with pytest.raises(typer.Exit):
        gate(base="base", head="knob", markdown=Path("gate.md"))
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "gate failed: 3 passed, 1 failed of 4 rules"
    assert [line.split()[1] for line in shown if line.strip().startswith("fail ")] == ["fid"]
    markdown = Path("gate.md").read_text()
    assert markdown.startswith("**gate failed: 3 passed, 1 failed of 4 rules**")
    assert "| fail | fid | no worse than base by more than 25% | 27 → 60, +122.2%" in markdown


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("fid: better\ncoverage: 3\n", r"gate\.yaml: 2 problems"),
        ("fid: at most 3\nfid: at most 4\n", r"gate\.yaml, line 2: found duplicate key"),
        ("fid: [\n", r"gate\.yaml, line \d: not YAML"),
        ("", r"gate\.yaml: got nothing"),
    ],
)
def test_rules_that_are_none_are_refused_before_anything_is_compared(
    repository: Repository, rules: str, said: str
) -> None:
    Path("gate.yaml").write_text(rules)
    with pytest.raises(GateError, match=said):
        gate(base="nowhere")


def test_missing_rules_and_a_missing_base_are_bad_use(repository: Repository) -> None:
    with pytest.raises(GateError, match=r"gate\.yaml: no such file"):
        gate(base="base")
    Path("gate.yaml").write_bytes(b"\xff")
    with pytest.raises(GateError, match="can't be read as UTF-8"):
        gate(base="base")
    Path("gate.yaml").write_text(RULES)
    with pytest.raises(UsageError, match="nowhere: neither a file nor a commit"):
        gate(base="nowhere")


def test_the_committed_rules_are_understood() -> None:
    assert parse(yaml_document(committed.text("gate.yaml"), "gate.yaml", GateError), "gate.yaml")


@pytest.mark.parametrize(("fid", "code"), [(27.5, 0), (60.0, 1), (None, 3), ("torn", 2)])
def test_the_command_exits_with_the_outcome(tmp_path: Path, fid: float | str | None, code: int) -> None:
    (tmp_path / "gate.yaml").write_text("fid: at most 30\nverdict: healthy\n")
    base = write(tmp_path / "base.json")
    head = write(tmp_path / "head.json", **({"fid": fid} if isinstance(fid, float) else {"verdict": None}))
    if fid == "torn":
        head.write_text("{")
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "gate",
        f"--base={base}",
        f"--head={head}",
        f"--rules={tmp_path}/gate.yaml",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
