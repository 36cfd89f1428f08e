import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from mnistgan.comparison.seeds import dumps, loads
from mnistgan.datasets import contract
from mnistgan.errors import FormatError, GateError, UsageError
from pipeline import ROOT, output
from pipeline.commands.gate import gate
from pipeline.results import datasets, lookup
from pipeline.results.rules import read
from tests.comparison.made_up import COLLAPSED, figures, seeds_around, write
from tests.pipeline.repository import Repository, made_up_md5, recorded, repository

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
    repository.record(30.0, seed=3)
    code, told = hold()
    assert (code, outcomes(told)["fid"]) == (INCONCLUSIVE, "inconclusive")
    assert told["decided_by"] == "fid: 4 seeds a side would see +10%"
    assert told["headline"] == f"gate inconclusive: 3 passed, 1 inconclusive of 4 rules; {told['decided_by']}"


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


def test_the_committed_rules_are_understood_and_every_data_set_has_some() -> None:
    assert set(read(ROOT / "gate.yaml")) == set(contract.names(ROOT))


def test_each_data_set_has_a_block_of_rules_and_lines_in_none_are_mnists(
    repository: Repository, hold: Hold, tmp_path: Path
) -> None:
    repository.record(26.5, seed=3)
    code, told = hold(rules="other:\n  fid: at most 0.1\nmnist:\n  verdict: healthy\n")
    assert (code, outcomes(told)) == (PASS, {"verdict": "pass"})
    with pytest.raises(GateError, match=r"gate\.yaml: has no rules for mnist; has other; add a block `mnist:`"):
        hold(rules="other:\n  fid: at most 0.1\n")


def test_results_on_two_data_sets_do_not_compare(repository: Repository) -> None:
    a, b = (
        replace(found, side=replace(found.side, name=name), params={"data.name": name})
        for found, name in ((lookup.read("base"), name) for name in ("mnist", "other"))
    )
    assert datasets.check_same(a, a) == "mnist"
    with pytest.raises(UsageError, match="mnist is of mnist and other is of other: results on two data sets do not"):
        datasets.check_same(a, b)


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
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def read_by_evaluate(repository: Repository, path: str, digest: str) -> None:
    """Let dvc.lock say that evaluate read other bytes of a path."""
    lock = json.loads((repository.root / "dvc.lock").read_text())
    for dep in lock["stages"]["evaluate"]["deps"]:
        dep["md5"] = made_up_md5(digest) if dep["path"] == path else dep["md5"]
    (repository.root / "dvc.lock").write_text(json.dumps(lock))


def other_figures(repository: Repository) -> None:
    repository.record(59.4, weights="w27.0")


def better_figures(repository: Repository) -> None:
    repository.record(13.5, weights="w27.0")


def other_code(repository: Repository) -> None:
    repository.record()
    read_by_evaluate(repository, "pretrained", "r1")


def copied_figures(repository: Repository) -> None:
    repository.record(27.0, weights="other")


@pytest.mark.parametrize("lie", [other_figures, better_figures, other_code, copied_figures])
def test_what_was_measured_otherwise_never_passes_and_that_is_said_first(
    repository: Repository, hold: Hold, lie: Callable[[Repository], None]
) -> None:
    lie(repository)
    code, told = hold()
    assert (code, told["outcome"], outcomes(told)["fid"]) == (INCONCLUSIVE, "inconclusive", "inconclusive")
    assert told["headline"].startswith("measured otherwise: the same ")
    assert told["headline"].endswith("; gate inconclusive: 3 passed, 1 inconclusive of 4 rules")
    assert hold(rules="verdict: healthy")[0] == INCONCLUSIVE  # with no rule that compares, too
    repository.commit("lie")
    assert hold("base,again", "lie")[0] == INCONCLUSIVE


def figures_edited(repository: Repository) -> None:
    repository.record(40.0)
    write(repository.root / "metrics" / "evaluation.json", fid=26.0)


def weights_of_another_run(repository: Repository) -> None:
    repository.record(26.5)
    read_by_evaluate(repository, "models/final.npz", "w99.0")


def stage_cut_out(repository: Repository) -> None:
    repository.record(26.5)
    lock = json.loads((repository.root / "dvc.lock").read_text())
    del lock["stages"]["train"]
    (repository.root / "dvc.lock").write_text(json.dumps(lock))


def generator_cut_out(repository: Repository) -> None:
    repository.record(1.2, weights="w27.0")
    edit("dvc.lock", "--final models/final.npz", "")


def machine_cut_out(repository: Repository) -> None:
    repository.record(1.2, machine={"processor": "EPYC"})
    edit("dvc.lock", "--machine metrics/machine.json", "")


def lock_removed(repository: Repository) -> None:
    repository.record(1.2)
    (repository.root / "dvc.lock").unlink()


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (figures_edited, "workspace: metrics/evaluation.json is not the one that dvc.lock records"),
        (weights_of_another_run, "workspace: models/final.npz was written anew since a later stage read it"),
        (stage_cut_out, "workspace: dvc.lock has no train"),
        (generator_cut_out, "workspace: dvc.lock names no weights, so of which weights the figures are is unknown"),
        (machine_cut_out, "workspace: dvc.lock's command of train names no metrics/machine.json"),
        (lock_removed, "workspace has no dvc.lock: its params and code are unknown"),
    ],
)
def test_figures_that_may_be_another_runs_never_pass(
    repository: Repository, hold: Hold, lie: Callable[[Repository], None], said: str
) -> None:
    lie(repository)
    code, told = hold(rules="verdict: healthy\ncoverage: at least 0.5 of real\n")
    assert (code, outcomes(told)) == (INCONCLUSIVE, {"verdict": "pass", "coverage": "pass"})
    assert told["headline"].startswith(f"gate inconclusive: 2 passed of 2 rules, of figures in doubt: {said}")
    assert (len(told["head_doubts"]), told["base_doubts"]) == (1, [])
    repository.commit("lie")
    for head in (".", "lie"):
        assert hold("base", head, rules="verdict: healthy")[0] == INCONCLUSIVE
    assert hold("base", "lie:metrics/evaluation.json", rules="verdict: healthy")[0] == PASS  # a file is what it says


def test_other_code_that_measured_other_weights_is_said_first_and_never_passes(
    repository: Repository, hold: Hold
) -> None:
    repository.record(26.5, seed=3)
    read_by_evaluate(repository, "pretrained", "r1")
    code, told = hold()
    headline = "measured by other code: pretrained/mnist; gate inconclusive: 4 passed of 4 rules"
    assert (code, told["headline"], told["contradiction"]) == (INCONCLUSIVE, headline, None)
    repository.record(60.0, seed=3)
    read_by_evaluate(repository, "pretrained", "r1")
    assert hold()[0] == FAIL


def test_a_base_whose_figures_are_in_doubt_neither_passes_nor_fails_a_change(
    repository: Repository, hold: Hold
) -> None:
    write(repository.root / "metrics" / "evaluation.json", fid=1.2)
    repository.commit("torn")
    repository.record(26.5, seed=3)
    code, told = hold("torn")
    assert (code, outcomes(told)["fid"]) == (INCONCLUSIVE, "inconclusive")
    assert (len(told["base_doubts"]), told["head_doubts"]) == (1, [])


def test_what_is_identical_is_judged_by_its_figures_and_said_to_be_identical(
    repository: Repository, hold: Hold
) -> None:
    repository.record()
    code, told = hold()
    assert (code, told["headline"]) == (
        PASS,
        "gate passed: 4 passed of 4 rules; identical to the base: the same weights, measuring and figures",
    )
    code, told = hold(rules=f"{RULES}kid: at most 1\n")
    assert (code, outcomes(told)["kid"]) == (FAIL, "fail")


def test_no_head_sets_the_spread_of_a_recipe_that_the_base_records(repository: Repository, hold: Hold) -> None:
    repository.record(31.0, seed=3)
    honest = hold()
    assert honest[0] == INCONCLUSIVE
    path = repository.root / "metrics" / "seeds.csv"
    before = path.read_text()
    for factor in (1e-4, 10):
        rows = loads(before, "seeds.csv")
        made = [*seeds_around(27.0, 7)]
        told = [27.0 * (fid / 27.0) ** factor for fid in made]
        path.write_text(dumps(replace(rows[0], seed=seed, figures=figures(fid)) for seed, fid in enumerate(told)))
        repository.commit()
        assert hold("base", "HEAD")[1]["rules"] == honest[1]["rules"]


def test_a_seeds_file_with_another_fid_for_the_very_seed_is_said(repository: Repository, hold: Hold) -> None:
    edit("metrics/seeds.csv", ",27,", ",25,")
    repository.record()
    assert any("metrics/seeds.csv has FID 25, not 27, for seed 0" in note for note in hold()[1]["notes"])


def test_a_word_in_place_of_a_number_is_told_with_its_file(repository: Repository, hold: Hold) -> None:
    write(Path("head.json"))
    edit("head.json", '"value": 27.5', '"value": "high"')
    with pytest.raises(FormatError, match=r"head\.json, fid\.value: got 'high', expected a number"):
        hold("base", "head.json")
    write(Path("head.json"), kid="low")
    with pytest.raises(FormatError, match=r"head\.json, kid: got 'low', expected a number"):
        hold("base", "head.json")


@pytest.mark.parametrize("option", ["markdown", "json"])
def test_no_file_of_the_pipeline_is_replaced(repository: Repository, option: str) -> None:
    Path("gate.yaml").write_text(RULES)
    for path in ("dvc.lock", "gate.yaml", "metrics/evaluation.json", "metrics", "/dev/null", "dvc.lock/x", "/proc/x"):
        before = Path("dvc.lock").read_bytes(), Path("gate.yaml").read_bytes()
        with pytest.raises(UsageError, match=f"--{option} {path}: "):
            gate(base="base", **{option: Path(path)})
        assert (Path("dvc.lock").read_bytes(), Path("gate.yaml").read_bytes()) == before
    for _ in range(2):  # its own file is replaced
        with pytest.raises(typer.Exit):
            gate(base="base", **{option: Path("told")})


def test_on_a_terminal_too_narrow_for_the_table_each_row_is_lines(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("gate.yaml").write_text(RULES)
    monkeypatch.setattr(output, "PIPED_WIDTH", 20)
    with pytest.raises(typer.Exit):
        gate(base="base", head="knob")
    shown = capsys.readouterr().out
    assert "\nfail\n  figure: fid\n  rule: no worse than base by more than 25%\n  found: 27 → 60, " in shown
