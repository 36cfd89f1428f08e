"""Several clones and machines that publish to one store."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from mnistgan.errors import TrackingError
from pipeline import runtime
from pipeline.runs import journal
from pipeline.tracking import lease
from pipeline.tracking.connection import connect
from pipeline.tracking.gathering import gather
from pipeline.tracking.sources import of_lock, while_running
from pipeline.tracking.store import Published, Store
from tests.pipeline.fabricated import Workspace
from tests.pipeline.published import publish, runs_of, steps


def test_of_two_clones_that_publish_one_state_at_once_one_waits_and_nothing_is_there_twice(
    workspace: Workspace, generator: Path, client
) -> None:
    workspace.train(generator)
    workspace.lock("train")
    other = workspace.root.with_name("other clone")
    shutil.copytree(workspace.root, other)
    content = gather(of_lock(), workspace.root)
    stores = [Store(root) for root in (workspace.root, other)]
    together = threading.Barrier(len(stores))

    def publish_from(store: Store) -> Published | None:
        together.wait()
        return store.publish(content)

    with ThreadPoolExecutor() as pool:
        done = [one for one in pool.map(publish_from, stores) if one]
    assert sorted(one.is_news for one in done) == [False, True]
    [run] = runs_of(client, content.state.run_key)
    assert steps(client, run.info.run_id, "training/generator_loss") == [100, 200, 300]
    assert not leases(client, run.info.experiment_id)


def leases(client, experiment: str) -> list[str]:
    return [name for name in client.get_experiment(experiment).tags if name.startswith(lease.PREFIX)]


def test_a_clone_that_holds_the_lease_is_named_by_its_host_and_one_that_was_killed_long_ago_is_passed_over(
    workspace: Workspace, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "WAIT_SECONDS", 0.0)
    at = connect(workspace.root)
    experiment = at.experiment
    for name, age in (("killed", 2 * lease.LEASE_SECONDS), ("at-work", 1.0)):
        client.set_experiment_tag(experiment, f"{lease.PREFIX}{name}.another", f"{time.time() - age:.0f} farhost")
    with lease.held(at, "other-state"):
        assert f"{lease.PREFIX}killed.another" not in client.get_experiment(experiment).tags
    with (
        pytest.raises(TrackingError, match="another clone, on farhost"),
        lease.held(at, "at-work"),
    ):
        pass
    client.delete_experiment_tag(experiment, f"{lease.PREFIX}at-work.another")


@pytest.mark.parametrize("failure", [TrackingError, KeyboardInterrupt])
def test_a_publishing_that_fails_leaves_no_lease_that_others_would_wait_for(
    failure: type[BaseException], workspace: Workspace, client
) -> None:
    at = connect(workspace.root)
    seen: list[str] = []

    def publish_and_fail() -> None:
        with lease.held(at, "failing"):
            seen.extend(leases(client, at.experiment))
            raise failure

    with pytest.raises(failure):
        publish_and_fail()
    assert len(seen) == 1
    assert not leases(client, at.experiment)


def test_a_lease_is_taken_for_a_runs_beginning_and_its_results_and_what_another_clone_added_between_is_not_doubled(
    workspace: Workspace, generator: Path, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    take = lease._take
    monkeypatch.setattr(lease, "_take", lambda *told: (taken.append(told[-1]), take(*told)))
    sources = while_running("train", since=0.0)
    ours = Store(workspace.root)
    for rows, leased in ((1, 1), (2, 1)):
        workspace.curves(rows)
        first = ours.publish(gather(sources, workspace.root))
        assert first
        assert len(taken) == leased
    workspace.curves(3)
    content = gather(sources, workspace.root)
    elsewhere = workspace.root.with_name("another clone")
    elsewhere.mkdir()
    Store(elsewhere).publish(content)
    assert not ours.publish(content).added["points"]
    assert len(taken) == 3
    workspace.finish(generator)
    ours.publish(gather(of_lock(), workspace.root))
    assert len(taken) == 4
    [run] = runs_of(client, content.state.run_key)
    assert steps(client, run.info.run_id, "training/generator_loss") == [100, 200, 300]


@pytest.fixture
def on_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this the machine of a name."""

    def move(name: str) -> None:
        monkeypatch.setattr("socket.gethostname", lambda: name)
        monkeypatch.setattr(runtime, "cpu_model", lambda: f"processor of {name}")

    return move


def train_some(workspace: Workspace, rows: int) -> Published:
    """Train as far as ``rows`` rows, publish while at it, and be interrupted."""
    sources = while_running("train", since=0.0)
    path = journal.path_of(workspace.root, sources.state.train_key)
    with suppress(KeyboardInterrupt), journal.recording(path, "train"):
        workspace.curves(rows)
        raise KeyboardInterrupt
    done = Store(workspace.root).publish(gather(sources, workspace.root))
    assert done is not None
    return done


def test_a_training_that_another_machine_left_unfinished_is_not_mixed_with_this_ones(
    workspace: Workspace, client, on_machine: Callable[[str], None]
) -> None:
    on_machine("one")
    first = train_some(workspace, rows=1)
    shutil.rmtree(workspace.root / "journal")  # the other machine's workspace has its own
    on_machine("other")
    second = train_some(workspace, rows=2)
    assert second.run_id != first.run_id
    assert steps(client, first.run_id, "training/generator_loss") == [100]
    assert steps(client, second.run_id, "training/generator_loss") == [100, 200]
    tags = [client.get_run(run.run_id).data.tags for run in (first, second)]
    assert [tag["mnistgan.host"] for tag in tags] == ["one", "other"]
    assert [tag.get("mnistgan.replicate") for tag in tags] == [None, "true"]
    assert train_some(workspace, rows=3).run_id == second.run_id


def test_a_workspace_that_goes_on_with_its_training_elsewhere_keeps_its_run(
    workspace: Workspace, client, on_machine: Callable[[str], None]
) -> None:
    on_machine("one")
    first = train_some(workspace, rows=1)
    on_machine("other")
    assert train_some(workspace, rows=2).run_id == first.run_id
    assert client.get_run(first.run_id).data.tags["mnistgan.host"] == "other"


def test_results_that_no_journal_tells_of_complete_the_unfinished_run(
    workspace: Workspace, generator: Path, on_machine: Callable[[str], None]
) -> None:
    on_machine("one")
    first = train_some(workspace, rows=3)
    shutil.rmtree(workspace.root / "journal")
    workspace.finish(generator)
    assert publish(workspace.root).run_id == first.run_id


def test_of_two_machines_that_come_to_the_same_bytes_the_first_keeps_its_run_and_the_other_takes_its_own_back(
    workspace: Workspace,
    generator: Path,
    client,
    on_machine: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = Workspace(workspace.root.with_name("elsewhere"))
    shutil.copytree(workspace.root, elsewhere.root)

    def move(name: str, to: Workspace) -> Workspace:
        on_machine(name)
        monkeypatch.chdir(to.root)
        return to

    first = train_some(move("one", workspace), rows=1)
    begun = train_some(move("other", elsewhere), rows=1)
    for name, place in (("one", workspace), ("other", elsewhere)):
        move(name, place).finish(generator)
        done = publish(place.root)
        assert done.run_id == first.run_id
    assert begun.run_id != first.run_id
    assert "ended as MLflow run" in "".join(done.mended)
    assert [run.info.run_id for run in runs_of(client, of_lock().state.run_key)] == [first.run_id]
    assert client.get_run(first.run_id).data.tags["mnistgan.host"] == "one"
    assert not publish(elsewhere.root).is_news


def test_a_second_process_may_not_publish_to_a_run_at_once(tmp_path: Path) -> None:
    with lease.publishing(tmp_path, "key"):
        other = (
            "from pathlib import Path; from pipeline.tracking import lease\n"
            f"with lease.publishing(Path({str(tmp_path)!r}), 'key'): pass"
        )
        done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
    assert "another process publishes" in done.stderr
