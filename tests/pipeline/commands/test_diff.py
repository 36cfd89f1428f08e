import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnistgan.comparison import seeds
from mnistgan.comparison.seeds import SeedRow
from mnistgan.errors import DataError, FormatError, PinsError, UsageError
from pipeline import ROOT
from pipeline.commands.diff import diff
from pipeline.commands.sync import sync
from pipeline.dvcfiles import dvc_lock, layout
from pipeline.results import checkout, lookup
from pipeline.runs import keys
from tests.comparison.made_up import COLLAPSED, PINS, figures, report, rows, seeds_around, side, write
from tests.pipeline.fabricated import Workspace
from tests.pipeline.repository import Repository, made_up_md5, recorded, repository

__all__ = ["recorded", "repository"]

Tell = Callable[..., dict[str, Any]]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Gives what `diff A B --json -` prints."""

    def call(a: object, b: object) -> dict[str, Any]:
        diff(str(a), str(b), json=Path("-"))
        content: dict[str, Any] = json.loads(capsys.readouterr().out)
        return content

    return call


def test_two_commits_are_compared_by_the_recorded_spread(repository: Repository, tell: Tell) -> None:
    assert (tell("base", "knob")["verdict"], tell("base", "again")["verdict"]) == ("worse", "cant_tell")
    assert tell("base", "knob")["basis"] == "recorded"


def test_a_differing_training_budget_is_said_first(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    diff("base", "knob")
    headline, budget, params, data, code, *_ = capsys.readouterr().out.splitlines()
    assert headline.startswith("worse: FID 27 → 60 (+122.2%, 95% interval ")
    assert budget == "the training budget differs: recipe.batch_size 32 → 256"
    assert params == "params: recipe.learning_rate 0.001 → 0.002"
    assert data == "data: the same"
    assert code == "code: src/mnistgan/training"


def machine_line(a: object, b: object, capsys: pytest.CaptureFixture[str]) -> list[str]:
    diff(str(a), str(b))
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("machine: ")]


def test_another_processor_is_said_beside_params_data_and_code(
    repository: Repository, capsys: pytest.CaptureFixture[str], tell: Tell
) -> None:
    for name, processor in (("one", "EPYC"), ("other", "Xeon"), ("same", "Xeon")):
        repository.record(machine={"processor": processor})
        repository.commit(name)
    assert machine_line("one", "other", capsys) == ["machine: processor EPYC → Xeon"]
    assert machine_line("other", "same", capsys) == ["machine: the same"]
    assert machine_line("one,other", "same", capsys) == ["machine: processor EPYC, Xeon → Xeon"]
    assert tell("one", "other")["machine"] == [{"name": "processor", "a": "EPYC", "b": "Xeon", "budget": False}]


def test_another_precision_of_the_same_processor_is_said_too(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    for precision in ("bfloat16", "float32"):
        repository.record(machine={"processor": "Xeon", "precision": precision})
        repository.commit(precision)
    assert machine_line("bfloat16", "float32", capsys) == ["machine: precision bfloat16 → float32"]
    assert machine_line("bfloat16,float32", "float32", capsys) == ["machine: precision bfloat16, float32 → float32"]


def test_of_a_record_from_before_processors_were_recorded_that_is_said_where_the_other_side_has_one(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert machine_line("base", "again", capsys) == []
    repository.record(machine={"processor": "Xeon"})
    assert machine_line("base", "workspace", capsys) == ["machine: not recorded for base"]
    assert machine_line("base,workspace", "workspace", capsys) == ["machine: not recorded for base,workspace"]
    (repository.root / layout.MACHINE).write_text('{"processor": "edited"}')
    assert machine_line("base", "workspace", capsys) == []


def test_every_number_told_is_the_files_own(repository: Repository, tell: Tell) -> None:
    told = {metric["name"]: metric for metric in tell("base", "knob")["metrics"]}
    for name, section in report(60.0).items():
        if isinstance(section, dict) and "value" in section:
            assert told[f"{name}.value"]["b"]["value"] == section["value"]
            assert told[f"{name}.value"]["b"]["real"] == section.get("real", section.get("floor"))


@pytest.mark.parametrize("name", ["main", "HEAD", "knob", "HEAD~0", "workspace", "./", "main:metrics/evaluation.json"])
def test_the_same_result_is_identical_by_whatever_name(repository: Repository, tell: Tell, name: str) -> None:
    assert tell("knob", name)["verdict"] == "identical"


def test_the_same_result_twice_in_a_group_is_one_seed_and_every_row_equal(
    repository: Repository, capsys: pytest.CaptureFixture[str], tell: Tell
) -> None:
    diff("knob", "workspace,workspace")
    shown = capsys.readouterr().out
    assert shown.startswith("identical: the same weights, measuring and figures\n")
    assert "A: knob; B: workspace,workspace; 95% intervals" in shown
    assert {metric["p"] for metric in tell("knob", "workspace,workspace")["metrics"]} == {None}
    assert "can't tell yet" not in shown


def test_the_same_weights_with_other_figures_are_measured_otherwise(
    repository: Repository, capsys: pytest.CaptureFixture[str], tell: Tell
) -> None:
    repository.record(59.4, weights="w27.0")
    assert tell("base", "workspace")["verdict"] == "measured_otherwise"
    diff("base", "workspace", markdown=Path("diff.md"))
    headline = "measured otherwise: the same weights, other figures: fid 27 → 59.4"
    assert capsys.readouterr().out.splitlines()[0] == headline
    assert Path("diff.md").read_text().startswith(f"**{headline}**")


def test_the_same_training_with_other_weights_is_not_believed(repository: Repository, tell: Tell) -> None:
    for name, fid in (("one", 27.0), ("other", 26.0)):
        repository.record(fid, machine={"processor": "EPYC"})
        lock = json.loads(Path("dvc.lock").read_text())
        lock["stages"]["train"]["cmd"] += " --versions models/versions.json"
        lock["stages"]["train"]["outs"].append({"path": "models/versions.json", "md5": made_up_md5("v0")})
        Path("dvc.lock").write_text(json.dumps(lock))
        repository.commit(name)
    assert "the same training" in tell("one", "other")["headline"]


def test_an_experiment_of_dvc_is_found_by_its_name(repository: Repository, tell: Tell) -> None:
    repository.experiment("lated-dhow", fid=61.0, batch_size=256)
    told = tell("base", "lated-dhow")
    assert told["metrics"][0]["b"]["value"] == 61.0
    assert told["b"]["name"] == "lated-dhow"


def test_the_refs_of_experiments_are_those_that_dvc_writes(repository: Repository) -> None:
    from dvc.repo.experiments.refs import ExpRefInfo

    head = repository.git("rev-parse", "HEAD")
    repository.git("update-ref", str(ExpRefInfo(baseline_sha=head, name="idled-suit")), head)
    assert lookup.read("idled-suit").side.members[0].weights == made_up_md5("w60.0")


def test_an_experiments_name_under_two_commits_is_not_guessed(repository: Repository) -> None:
    repository.experiment("twice", fid=61.0)
    repository.record(30.0)
    repository.commit()
    repository.experiment("twice", fid=62.0)
    with pytest.raises(UsageError, match="experiments of several commits have this name"):
        lookup.read("twice")


def test_commits_joined_by_commas_are_a_group(repository: Repository, tell: Tell) -> None:
    for seed, fid in enumerate((27.4, 26.1, 28.0)):
        repository.record(fid, seed=seed)
        repository.commit(f"a{seed}")
    for seed, fid in enumerate((55.0, 58.0, 61.0)):
        repository.record(fid, seed=seed, batch_size=64)
        repository.commit(f"b{seed}")
    told = tell("a0,a1,a2", "b0,b1,b2")
    assert (told["verdict"], told["basis"]) == ("worse", "groups")
    assert [len(told[side]["seeds"]) for side in "ab"] == [3, 3]
    assert {change["name"] for change in told["params"]} == {"recipe.batch_size"}
    assert not [note for note in told["notes"] if "not in the seed alone" in note]
    assert [
        n for n in tell("a0,a1,b2", "b0,b1")["notes"] if "members differ in recipe.batch_size, not in the seed" in n
    ]


def test_files_globs_and_folders_are_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Tell) -> None:
    monkeypatch.chdir(tmp_path)
    for group, centre in (("a", 27.0), ("b", 60.0)):
        for seed, fid in enumerate(seeds_around(centre, 4)):
            write(tmp_path / group / f"{seed}.json", fid=fid)
    assert tell("a", "b")["verdict"] == "worse"
    assert tell("a/*.json", "b/[012].json")["verdict"] == "worse"
    assert tell("a/0.json,a/1.json,a/2.json", str(tmp_path / "b"))["verdict"] == "worse"
    assert tell("a/0.json", "b/0.json")["verdict"] == "cant_tell"


def test_a_folder_of_runs_folders_is_a_group_too(tmp_path: Path) -> None:
    for seed, fid in enumerate(seeds_around(27.0, 3)):
        write(tmp_path / "runs" / str(seed) / "metrics" / "evaluation.json", fid=fid)
    assert len(lookup.read(str(tmp_path / "runs")).side.members) == 3


def test_the_recorded_seeds_are_a_group_by_their_files_name(repository: Repository, tell: Tell) -> None:
    told = tell("base:metrics/seeds.csv", "metrics/seeds.csv")
    assert (told["verdict"], len(told["a"]["seeds"])) == ("identical", 5)
    assert tell("metrics/seeds.csv", "knob")["verdict"] == "worse"


def test_a_seeds_file_of_two_recipes_is_no_group(tmp_path: Path) -> None:
    rows = [SeedRow("fast", digest, 0, figures(27.0)) for digest in ("one", "two")]
    (tmp_path / "seeds.csv").write_text(seeds.dumps(rows))
    with pytest.raises(UsageError, match="2 recipes"):
        lookup.read(str(tmp_path / "seeds.csv"))


def test_other_pins_are_refused_by_name(repository: Repository) -> None:
    write(Path("other.json"), pins=PINS.replace("10000", "2000"))
    with pytest.raises(PinsError, match=r"base and other\.json do not compare: .*the number of samples"):
        diff("base", "other.json")


def test_missing_new_and_nan_stand_in_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.json", coverage=None, kid={"value": math.nan})
    write(tmp_path / "b.json", fid=28.0, precision=None, sparkle={"value": 2.0})
    diff("a.json", "b.json", markdown=Path("-"))
    markdown = capsys.readouterr().out
    for said in ("missing in B", "| new |", "| NaN |", "not a number in a.json: kid.value"):
        assert said in markdown.replace("\\", "")
    told = {metric["name"]: metric for metric in tell("a.json", "b.json")["metrics"]}
    assert (told["kid.value"]["a"]["value"], told["kid.value"]["a"]["nan"]) == (None, 1)
    assert told["precision.value"]["b"]["missing"] == 1
    assert told["sparkle.value"]["better"] == "unknown"


def test_markdown_and_json_go_to_files_beside_the_table(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    diff("base", "knob", markdown=Path("out/diff.md"), json=Path("out/diff.json"))
    assert capsys.readouterr().out.startswith("worse: ")
    assert Path("out/diff.md").read_text().startswith("**worse: FID 27 → 60")
    assert json.loads(Path("out/diff.json").read_text())["verdict"] == "worse"


def test_a_name_of_any_kind_breaks_no_markdown(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    repository.git("branch", "a|b_<script>")
    diff("base", "a|b_<script>", markdown=Path("-"))
    assert r"a\|b\_\<script\>" in capsys.readouterr().out


def test_stdout_holds_one_of_the_two(repository: Repository) -> None:
    with pytest.raises(UsageError, match="stdout holds one of the two"):
        diff("base", "knob", markdown=Path("-"), json=Path("-"))


def test_params_edited_since_the_run_are_said_and_the_runs_own_are_compared(repository: Repository, tell: Tell) -> None:
    path = repository.root / "recipes" / "dcgan.yaml"
    path.write_text(path.read_text().replace('"epochs": 5', '"epochs": 50'))
    told = tell("knob", "workspace")
    assert told["params"] == []
    assert "workspace: params.yaml has changed since the run: recipe.epochs 50 (ran with 5)" in " ".join(told["notes"])


def test_params_without_a_recipe_are_said(repository: Repository, tell: Tell) -> None:
    (repository.root / "params.yaml").write_text("train: []\n")
    assert any("params.yaml names no recipe" in note for note in tell("knob", "workspace")["notes"])


def test_a_lock_without_the_metrics_is_said(repository: Repository, tell: Tell) -> None:
    path = repository.root / "dvc.lock"
    lock = json.loads(path.read_text())
    del lock["stages"]["evaluate"]
    path.write_text(json.dumps(lock))
    assert any("whose figures it holds is unknown" in note for note in tell("knob", "workspace")["notes"])


def test_figures_that_the_lock_does_not_record_are_said(repository: Repository, tell: Tell) -> None:
    write(repository.root / layout.METRICS, fid=30.0)
    told = tell("base", "workspace")
    assert any("is not the one that dvc.lock records" in note for note in told["notes"])
    assert told["verdict"] != "identical"


def test_without_a_lock_causes_are_unknown_and_that_is_said(repository: Repository, tell: Tell) -> None:
    (repository.root / "dvc.lock").unlink()
    told = tell("base", "workspace")
    assert (told["verdict"], told["basis"]) == ("worse", "recorded")
    assert any("workspace has no dvc.lock" in note for note in told["notes"])


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("nowhere", UsageError, "neither a file nor a commit, branch, tag or DVC experiment"),
        ("base:nowhere.json", UsageError, "base has no nowhere.json"),
        ("*.nothing", UsageError, "no such file"),
        ("--output=x", UsageError, "neither a file nor a commit"),
        (",".join(["base"] * 99 + ["nowhere"]), UsageError, "nowhere: neither"),
        ("x" * 300, UsageError, "neither"),
        ("base,,again", UsageError, "got an empty name"),
        ("empty", DataError, "has no metrics/evaluation.json"),
        ("torn.json", FormatError, "not JSON"),
        ("params.yaml", FormatError, "no pins"),
    ],
)
def test_what_holds_no_results_is_refused_with_its_name(
    repository: Repository, name: str, error: type[Exception], said: str
) -> None:
    repository.git("rm", "-rq", "metrics")
    repository.commit("empty")
    Path("torn.json").write_text('{"fid":')
    with pytest.raises(error, match=said):
        diff("base", name)


def test_what_is_both_a_file_and_a_branch_is_not_guessed(repository: Repository, tell: Tell) -> None:
    write(Path("both"), fid=60.0)
    repository.git("branch", "both")
    with pytest.raises(UsageError, match=r"write \./both for the file"):
        diff("base", "both")
    assert tell("knob", "refs/heads/both")["verdict"] == "identical"


def test_a_collapsed_seed_is_named_with_its_evidence(tmp_path: Path, tell: Tell) -> None:
    a, b = write(tmp_path / "a.json"), write(tmp_path / "b.json", fid=300.0, verdict=COLLAPSED)
    told = tell(a, b)
    assert told["collapsed"] == {"a": 0, "of_a": 1, "b": 1, "of_b": 1, "p": 1.0}
    assert f"{b} is {COLLAPSED}" in told["notes"]


def test_an_mlflow_run_is_compared_by_what_it_was_given(
    workspace: Workspace, generator: Path, tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.train(generator)
    workspace.lock("train")
    write(workspace.root / layout.METRICS, fid=27.0)
    (workspace.root / "metrics" / "classes.csv").write_text("class,share,prior\n0,0.1,0.1\n")
    workspace.lock("evaluate")
    sync()
    run = keys.state_of_lock(dvc_lock.read()).short
    capsys.readouterr()
    told = tell("workspace", f"run:{run}")
    assert (told["verdict"], told["params"], told["notes"]) == ("identical", [], [])


def test_it_loads_no_heavy_library_and_refuses_with_exit_code_2(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.json"), write(tmp_path / "b.json", fid=28.0)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-X", "importtime", "-m", "pipeline", "diff", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    done = run(a, b)
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert done.stdout.startswith("can't tell yet")
    heavy = {"tensorflow", "keras", "mlflow", "dvc", "numpy", "pandas", "matplotlib", "PIL", "scipy"}
    assert loaded & heavy == set()
    refused = run(a, write(tmp_path / "c.json", pins=PINS.replace("10000", "2000")))
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def test_two_records_of_one_recipe_are_not_mixed_and_the_fullest_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old, new = tuple(rows(fid=27.5, count=2)), tuple(rows(fid=9.0, count=3))
    sides = [checkout.Results(side(name, [27.5]), seeds=held) for name, held in (("a", old), ("b", new))]
    assert lookup.recorded_seeds(*sides) == lookup.recorded_seeds(*reversed(sides)) == list(new)
