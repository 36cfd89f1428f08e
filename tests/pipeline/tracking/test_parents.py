"""The parent run of a group of seeds, and the alias of the best generator, in a real store."""

import itertools
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnistgan.comparison import rules, seeds
from pipeline.commands import sync
from pipeline.tracking import parents, publication, reading, registry
from pipeline.tracking.connection import EXPERIMENT, connect
from pipeline.tracking.gathering import gather
from pipeline.tracking.groups import Group
from pipeline.tracking.publication import RECIPE_DIGEST
from pipeline.tracking.sources import of_lock
from pipeline.tracking.store import Published, Store
from tests.comparison.made_up import COLLAPSED, figures, report, rows
from tests.pipeline.fabricated import Workspace
from tests.pipeline.published import MODEL

_digests = itertools.count()
ABSOLUTE = {"verdict": "healthy", "coverage": "at least 0.5 of real", "fid": "no worse than base by more than 25%"}


@pytest.fixture
def digest() -> str:
    """A digest that no other test has."""
    return f"group{next(_digests)}"


def group_of(digest: str, count: int = 5, wanted: int | None = None, fid: float = 27.5) -> Group:
    return Group(tuple(rows(fid, count, digest)), wanted or count)


def publish(workspace: Workspace, group: Group) -> Published:
    return Store(workspace.root).publish_group(group)


def child_of(client, digest: str, seed: int) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    run_id = str(client.create_run(experiment, tags={RECIPE_DIGEST: digest}).info.run_id)
    for name, value in {"train.seed": seed, "recipe.epochs": 5}.items():
        client.log_param(run_id, name, value)
    return run_id


def parent_tag(client, run_id: str) -> str | None:
    return client.get_run(run_id).data.tags.get(parents.PARENT)


def test_a_parent_shows_what_its_group_says_over_its_children(workspace: Workspace, client, digest: str) -> None:
    children = [child_of(client, digest, seed) for seed in range(3)]
    stranger = child_of(client, f"not-{digest}", 0)
    group = group_of(digest, 3)
    done = publish(workspace, group)
    run = client.get_run(done.run_id)
    assert run.data.metrics == {point.metric: point.value for point in group.points()}
    assert run.data.tags["mlflow.note.content"] == group.note()
    assert run.data.params == {"train.recipe": "fast", "recipe.epochs": "5"}  # what they share: not the seed
    assert run.info.status == "FINISHED"
    assert [parent_tag(client, child) for child in children] == [done.run_id] * 3
    assert parent_tag(client, stranger) is None
    table = Path(client.download_artifacts(done.run_id, parents.TABLE, str(workspace.root)))
    assert table.read_text() == seeds.dumps(group.rows)


def test_a_group_counts_a_state_once_by_its_finished_run_whose_replicates_stand_beside_it(
    workspace: Workspace, client, digest: str
) -> None:
    left, finished, replicate = (child_of(client, digest, 0) for _ in range(3))
    for run_id in (left, finished, replicate):
        client.set_tag(run_id, publication.RUN_KEY, f"key of {digest}")
    done = publish(workspace, group_of(digest, 2))
    assert done.added["children"] == 1
    assert [parent_tag(client, run_id) for run_id in (left, finished, replicate)] == [done.run_id, None, None]
    for run_id in (finished, replicate):
        client.set_tag(run_id, reading.RESULTS, f"results of {run_id}")
    again = publish(workspace, group_of(digest, 2))
    assert [parent_tag(client, run_id) for run_id in (left, finished, replicate)] == [None, again.run_id, None]
    assert not publish(workspace, group_of(digest, 2)).is_news


def test_a_groups_run_names_who_published_it_as_git_knows_them(workspace: Workspace, client, digest: str) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "config", "user.name", "Ada"], check=True)
    assert client.get_run(publish(workspace, group_of(digest)).run_id).info.user_id == "Ada"


def test_publishing_a_group_again_changes_nothing(workspace: Workspace, client, digest: str) -> None:
    child_of(client, digest, 0)
    first = publish(workspace, group_of(digest))
    again = publish(workspace, group_of(digest))
    assert first.is_news
    assert again.run_id == first.run_id
    assert not again.is_news
    assert len(client.get_metric_history(first.run_id, "seeds/log_fid.mean")) == 1


def test_a_group_that_grows_keeps_its_run_and_its_mean_becomes_a_curve(
    workspace: Workspace, client, digest: str
) -> None:
    first = publish(workspace, group_of(digest, 2, wanted=4))
    assert client.get_run(first.run_id).info.status == "SCHEDULED"
    for count in (3, 4):
        assert publish(workspace, group_of(digest, count, wanted=4)).run_id == first.run_id
    run = client.get_run(first.run_id)
    assert run.info.status == "FINISHED"
    assert [point.step for point in client.get_metric_history(first.run_id, "seeds/log_fid.mean")] == [2, 3, 4]
    assert run.data.metrics["seeds/count"] == 4


def test_seeds_that_were_trained_anew_replace_what_the_parent_shows(workspace: Workspace, client, digest: str) -> None:
    first = publish(workspace, group_of(digest))
    publish(workspace, group_of(digest, fid=20.0))
    run = client.get_run(first.run_id)
    assert run.data.metrics["seeds/fid.mean"] == pytest.approx(20.0, rel=0.01)
    assert "FID 19.9" in run.data.tags["mlflow.note.content"]
    assert not publish(workspace, group_of(digest, fid=20.0)).is_news


def test_what_a_person_does_to_a_parent_is_kept_or_made_again(workspace: Workspace, client, digest: str) -> None:
    child = child_of(client, digest, 0)
    first = publish(workspace, group_of(digest)).run_id
    client.set_tag(first, publication.NOTE, "the ones for the poster")
    (Path(client.get_run(first).info.artifact_uri.removeprefix("file://")) / parents.TABLE).unlink()
    grown = publish(workspace, group_of(digest, 6))
    assert client.get_run(first).data.tags[publication.NOTE] == "the ones for the poster"
    assert Path(client.download_artifacts(first, parents.TABLE)).read_text() == seeds.dumps(group_of(digest, 6).rows)
    assert grown.run_id == first
    client.delete_run(first)
    again = publish(workspace, group_of(digest, 6))
    assert again.run_id != first
    assert parent_tag(client, child) == again.run_id


def test_a_run_that_is_published_after_its_parent_is_put_under_it(
    workspace: Workspace, generator: Path, client, digest: str
) -> None:
    parent = publish(workspace, group_of(digest))
    workspace.finish(generator)
    content = gather(of_lock(), workspace.root)
    content = replace(content, tags={**content.tags, RECIPE_DIGEST: digest})
    done = Store(workspace.root).publish(content)
    assert done is not None
    assert parent_tag(client, done.run_id) == parent.run_id


def test_sync_gives_every_group_of_the_seeds_file_its_parent_and_twice_adds_nothing(
    workspace: Workspace, generator: Path, digest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.finish(generator)
    (workspace.root / "metrics" / "seeds.csv").write_text(seeds.dumps(group_of(digest).rows))
    sync.sync()
    assert f"fast/seeds · {digest}" in capsys.readouterr().out
    sync.sync()
    assert digest not in capsys.readouterr().out


def test_a_seeds_file_that_can_not_be_read_holds_back_nothing_else(
    workspace: Workspace, generator: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.finish(generator)
    (workspace.root / "metrics" / "seeds.csv").write_text("no,such,file\n")
    sync.sync()
    said = capsys.readouterr()
    assert "no group of seeds published: metrics/seeds.csv" in said.err
    assert "added" in said.out


def parsed(**asked: str) -> dict[str, Any]:
    return rules.parse(asked or ABSOLUTE, "gate.yaml")


def test_the_best_is_the_lowest_fid_of_those_that_pass_by_themselves() -> None:
    measured = {
        1: figures(30.0),
        2: figures(25.0),
        3: figures(20.0, verdict=COLLAPSED),
        4: figures(10.0, coverage={"value": 0.2}),
    }
    assert registry.choose(measured, parsed()) == 2
    assert registry.choose(dict(reversed(measured.items())), parsed()) == 2
    assert registry.choose({3: measured[3], 4: measured[4]}, parsed()) is None


def test_of_equals_the_earlier_version_stays_the_best() -> None:
    assert registry.choose({2: figures(25.0), 1: figures(25.0)}, parsed()) == 1


def test_rules_that_only_compare_with_a_base_or_name_what_a_version_lacks_pass_nothing() -> None:
    assert registry.choose({1: figures(25.0)}, parsed(fid="no worse than base by more than 25%")) is None
    assert registry.choose({1: figures(25.0)}, parsed(ink="at least 0.1")) is None


@pytest.fixture
def measured_as(
    workspace: Workspace, generator: Path, client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., float | None]:
    """Syncs a state of this FID under rules, measured by rulers that no other test has; gives the best FID of MODEL."""
    pins = f"{next(_digests):06x}-43e8f7-244d82-10000-1"

    def publish_and_ask(asked: str, fid: float, family: str = "dcgan", **sections: Any) -> float | None:
        made = Workspace.create(tmp_path / str(next(_digests)), 1000 + next(_digests), family)
        monkeypatch.chdir(made.root)
        made.finish(generator)
        (made.root / "metrics" / "evaluation.json").write_text(json.dumps(report(fid, **sections) | {"pins": pins}))
        made.lock("evaluate", "render")
        Path("gate.yaml").write_text(asked)
        sync.sync()
        return best_fid(client, MODEL)

    return publish_and_ask


def best_fid(client, model: str) -> float | None:
    """The FID of the version that a registered model's alias names, if it names one."""
    version = client.get_registered_model(model).aliases.get(registry.ALIAS)
    run = client.get_run(client.get_model_version(model, version).run_id) if version else None
    return run and run.data.metrics["scores/fid"]


def test_the_best_is_found_among_the_first_by_fid_and_no_other_run_is_read(
    workspace: Workspace, generator: Path, client, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, pins = f"{registry.MODELS}-mnist-{digest}", f"{next(_digests):06x}-43e8f7-244d82-10000-1"
    client.create_registered_model(name)
    for fid, verdict in ((30.0, "healthy"), (20.0, "healthy"), (10.0, COLLAPSED), (20.0, "healthy"), (40.0, "healthy")):
        told = {publication.PINS: pins, reading.RESULTS: "made", "mnistgan.verdict": verdict}
        told[publication.FIGURES] = json.dumps(figures(fid).leaves)
        experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
        run_id = client.create_run(experiment, tags=told).info.run_id
        client.log_metric(run_id, "scores/fid", fid)
        client.log_param(run_id, publication.FAMILY, digest)
        client.create_model_version(name, "s3://bucket/none", run_id)
    read: list[str] = []
    figures_of = registry.figures_of
    monkeypatch.setattr(registry, "figures_of", lambda run: (read.append(run.info.run_id), figures_of(run))[1])
    workspace.finish(generator)
    asked = replace(gather(of_lock(), workspace.root), rules=parsed(verdict="healthy"), best_pins=pins)
    asked = replace(asked, params={publication.FAMILY: digest})
    assert registry.point_aliases(connect(workspace.root), asked) == 1
    assert client.get_registered_model(name).aliases[registry.ALIAS] in (2, "2")
    assert len(read) == 3


def test_each_family_has_a_best_of_its_own_and_the_dcgans_goes_by_its_former_name_too(
    client, measured_as: Callable[..., float | None]
) -> None:
    assert measured_as("verdict: healthy", 30.0) == 30.0
    assert measured_as("verdict: healthy", 1.0, family="cgan") == 30.0
    assert [best_fid(client, model) for model in ("mnistgan-mnist-cgan", "mnistgan-generator")] == [1.0, 30.0]


def test_the_alias_names_the_best_that_passes_the_rules_there_are_and_nothing_where_none_does(
    measured_as: Callable[..., float | None],
) -> None:
    assert measured_as("verdict: healthy", 30.0) == 30.0
    assert measured_as("verdict: healthy", 20.0, coverage={"value": 0.5}) == 20.0
    assert measured_as("verdict: healthy", 25.0) == 20.0
    assert measured_as("coverage: at least 0.55", 40.0) == 25.0
    assert measured_as("no: rule", 10.0) == 25.0  # rules that nobody understands move nothing
    assert measured_as("coverage: at least 0.9", 10.0) is None


def test_an_experiment_measured_by_other_pins_leaves_the_alias_to_the_commits(
    workspace: Workspace, generator: Path, client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(at: Workspace, fid: float, samples: int) -> str:
        """Publish a state of ``at``, the current folder, measured by so many samples; gives the best version."""
        pins = f"{number:06x}-43e8f7-244d82-{samples}-1"
        (at.root / "metrics" / "evaluation.json").write_text(json.dumps(report(fid) | {"pins": pins}))
        at.lock("evaluate", "render")
        sync.sync()
        return str(client.get_registered_model(MODEL).aliases[registry.ALIAS])

    number = next(_digests)
    Path("gate.yaml").write_text("verdict: healthy")
    workspace.finish(generator)
    first = measure(workspace, 20.0, samples=10000)
    experiment = Workspace.create(tmp_path / "experiment", seed=1000 + number)
    monkeypatch.chdir(experiment.root)
    monkeypatch.setenv("DVC_ROOT", str(workspace.root))
    experiment.finish(generator)
    assert measure(experiment, 1.0, samples=1000) == first
    second = measure(experiment, 10.0, samples=10000)
    assert second != first
    monkeypatch.delenv("DVC_ROOT")  # another commit, measured otherwise, whose rules none of its versions passes
    Path("gate.yaml").write_text("coverage: at least 2.0")
    assert measure(experiment, 1.0, samples=2000) == second
