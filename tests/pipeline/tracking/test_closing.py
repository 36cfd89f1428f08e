"""What a run says of how its stages ended."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runs import journal, keys
from pipeline.tracking import lease, publication, reading
from pipeline.tracking.connection import Connection
from pipeline.tracking.gathering import gather
from pipeline.tracking.sources import while_running
from pipeline.tracking.store import Store
from tests.pipeline.fabricated import Workspace
from tests.pipeline.published import publish


def test_a_trained_state_waits_for_its_evaluation(workspace: Workspace, generator: Path, client) -> None:
    with journal.recording(journal.path_of(workspace.root, keys.train_key_of_workspace()), "train"):
        workspace.train(generator)
    workspace.lock("train")
    done = publish(workspace.root)
    assert client.get_run(done.run_id).info.status == "SCHEDULED"
    workspace.evaluate()
    workspace.lock("evaluate")
    assert publish(workspace.root).run_id == done.run_id
    assert client.get_run(done.run_id).info.status == "FINISHED"


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (RuntimeError, "FAILED")])
def test_a_run_says_how_its_training_ended(
    workspace: Workspace, client, error: type[BaseException], status: str
) -> None:
    sources = while_running("train", since=0.0)
    store = Store(workspace.root)

    def published_status() -> str:
        done = store.publish(gather(sources, workspace.root))
        assert done is not None
        return client.get_run(done.run_id).info.status

    def train() -> None:
        with journal.recording(journal.path_of(workspace.root, sources.state.train_key), "train"):
            assert published_status() == "RUNNING"
            raise error

    with pytest.raises(error):
        train()
    assert published_status() == status


def test_a_run_whose_process_was_killed_is_closed_and_said(workspace: Workspace, client) -> None:
    sources = while_running("train", 0.0)
    path = journal.path_of(workspace.root, sources.state.train_key)
    store = Store(workspace.root)
    killed = (
        "import sys, pathlib; from pipeline.runs import journal\n"
        "with journal.recording(pathlib.Path(sys.argv[1]), 'train'):\n"
        "    print('at work', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", killed, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        done = store.publish(gather(sources, workspace.root))
        assert done is not None
        assert store.close_abandoned() == []
        assert client.get_run(done.run_id).info.status == "RUNNING"
        child.kill()
    [said] = store.close_abandoned()
    assert "process is gone" in said
    assert client.get_run(done.run_id).info.status == "KILLED"
    assert store.close_abandoned() == []


def test_a_run_that_waits_for_a_stage_which_was_killed_is_closed_too(
    workspace: Workspace, generator: Path, client
) -> None:
    sources = while_running("train", 0.0)
    path = journal.path_of(workspace.root, sources.state.train_key)
    with journal.recording(path, "train"):
        workspace.train(generator)
    store = Store(workspace.root)
    done = store.publish(gather(sources, workspace.root))
    assert done is not None
    assert client.get_run(done.run_id).info.status == "SCHEDULED"
    assert store.close_abandoned() == []
    evaluation = journal.Journal(journal.path_of(workspace.root, sources.state.run_key), "evaluate")
    evaluation.write(journal.Kind.START)
    assert store.close_abandoned() == []
    evaluation.close()  # as a kill leaves it, before anything was published
    [said] = store.close_abandoned()
    assert "now KILLED" in said


def test_a_run_that_another_process_or_another_clone_publishes_to_is_not_closed(
    workspace: Workspace, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = while_running("train", 0.0)
    store = Store(workspace.root)
    with journal.recording(journal.path_of(workspace.root, sources.state.train_key), "train"):
        done = store.publish(gather(sources, workspace.root))
    assert done is not None
    with lease.publishing(workspace.root, sources.state.run_key):
        assert store.close_abandoned() == []  # its follower is about to say how it ended
    client.set_tag(done.run_id, reading.CLONE, "another")
    assert store.close_abandoned() == []
    assert client.get_run(done.run_id).info.status == "RUNNING"


def test_a_run_of_a_machine_that_is_gone_is_closed_where_its_state_is_made_elsewhere(
    workspace: Workspace, generator: Path, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, elsewhere = while_running("train", 0.0), workspace.root.with_name("elsewhere")
    shutil.copytree(workspace.root, elsewhere)
    with journal.recording(journal.path_of(elsewhere, sources.state.train_key), "train"):
        gone = Store(elsewhere).publish(gather(sources, elsewhere))
    assert gone is not None
    client.set_tag(gone.run_id, "mnistgan.host", "gone")
    with journal.recording(journal.path_of(workspace.root, sources.state.train_key), "train"):
        workspace.finish(generator)
    done = publish(workspace.root)
    assert done.run_id != gone.run_id
    assert "its state was made elsewhere" in "".join(done.mended)
    assert client.get_run(gone.run_id).info.status == "KILLED"
    assert not publish(workspace.root).mended


def test_a_run_that_ended_while_it_was_looked_at_keeps_its_status(
    workspace: Workspace, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = while_running("train", 0.0)
    store = Store(workspace.root)
    with journal.recording(journal.path_of(workspace.root, sources.state.train_key), "train"):
        done = store.publish(gather(sources, workspace.root))
    assert done is not None
    search = Connection.search

    def search_and_be_late(at: Connection, condition: str) -> list:
        found = search(at, condition)
        client.set_terminated(done.run_id, "FINISHED")
        return found

    monkeypatch.setattr(Connection, "search", search_and_be_late)
    assert store.close_abandoned() == []
    assert client.get_run(done.run_id).info.status == "FINISHED"


def test_a_training_too_short_to_be_timed_lacks_no_journal() -> None:
    told = {"mlflow.source.git.commit", "mnistgan.cpu", "mnistgan.host"}
    assert publication.untold(told) == ("where the data came from",)
    assert "the speed" in publication.untold(told - {"mnistgan.host"})
