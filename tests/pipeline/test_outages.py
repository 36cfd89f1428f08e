"""Whatever MLflow's store does, a stage goes on, and `sync` fills in exactly what was missed."""

import json
import os
import select
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from mnistgan.errors import TrackingError
from mnistgan.files import sha256
from pipeline import __main__ as command_line
from pipeline import runtime
from pipeline.commands import sync
from pipeline.dvcfiles import dvc_yaml, git
from pipeline.runs import journal, keys, patches
from pipeline.tracking import address, observing, publication, reading
from pipeline.tracking.database import PLACES, follow
from pipeline.tracking.gathering import gather
from pipeline.tracking.sources import of_lock
from pipeline.tracking.store import Published, Store
from tests.pipeline.fabricated import Workspace, forget_machine
from tests.pipeline.mlflow_server import Fault, Server
from tests.pipeline.published import runs_of

SLOW = pytest.mark.slow
USER = "someone:hunter2@"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An MLflow server on loopback; it holds runs of other tests too."""
    made = Server(tmp_path_factory.mktemp("server"))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's answer is waited for a second, not ten; no other secret is known than the one here."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)


@pytest.fixture
def as_train(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is called as dvc.yaml calls the train stage."""
    options = dvc_yaml.options("train").items()
    words = [word for name, value in options for word in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["pipeline", "train", *words])


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes an address the one that commands publish to."""
    return lambda address: monkeypatch.setenv("MLFLOW_TRACKING_URI", address)


@pytest.fixture
def reference(store_folder: Path) -> str:
    """A store that nothing ever befalls."""
    return f"sqlite:///{store_folder}/mlruns/mlflow.db"


def held(address: str, run_key: str, folder: Path) -> dict[str, Any]:
    """All that a store holds of a key, but for ids, times and the names that MLflow draws for pictures."""
    import mlflow

    mlflow.set_tracking_uri(address)
    client = mlflow.MlflowClient()
    experiments = [each.experiment_id for each in client.search_experiments()]
    [run] = client.search_runs(experiments, f"tags.`mnistgan.run_key` = '{run_key}'")
    run_id = run.info.run_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    client.download_artifacts(run_id, "", str(folder))
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    pictures = {name: path for name, path in files.items() if name.startswith("images/")}
    models = client.search_logged_models(experiments, f"source_run_id = '{run_id}'")
    versions = client.search_model_versions(f"run_id = '{run_id}'")
    return {
        "experiment": client.get_experiment(run.info.experiment_id).name,
        "name": run.info.run_name,
        "status": run.info.status,
        "started": run.info.start_time if "mnistgan.host" in run.data.tags else None,
        "params": run.data.params,
        "tags": {name: value.replace(run_id, "") for name, value in run.data.tags.items() if "history" not in name},
        "points": {metric: points(client, run_id, metric) for metric in run.data.metrics},
        "inputs": [each.dataset.digest for each in run.inputs.dataset_inputs],
        "pictures": sorted((name.split("+")[2], Path(name).suffix, sha256(pictures[name])) for name in pictures),
        "files": {name: sha256(path) for name, path in files.items() if name not in pictures},
        "models": [(client.get_experiment(model.experiment_id).name, str(model.status)) for model in models],
        "outputs": len(run.outputs.model_outputs) if run.outputs else 0,
        "versions": [version.status for version in versions],
    }


def points(client: Any, run_id: str, metric: str) -> list[tuple[int, float]]:
    return sorted((point.step, point.value) for point in client.get_metric_history(run_id, metric))


def publish(root: Path) -> Published:
    done = Store(root).publish(gather(of_lock(), root))
    assert done is not None
    return done


def publish_through(server: Server, kind: Fault, root: Path) -> int:
    """Publish until it succeeds, the fault meeting a later write each time; how often it met one."""
    for met in range(60):
        server.fail(kind, after=met)
        with suppress(TrackingError):
            publish(root)
            server.fail(Fault.NONE)
            return met
    raise AssertionError("it never succeeds")


def assert_nothing_is_missing(
    address: str, reference: str, use: Callable[[str], None], capsys: pytest.CaptureFixture[str], workspace: Workspace
) -> None:
    """What `sync` makes of a store is what a store has that was never away, and a second time adds nothing."""
    with pytest.MonkeyPatch.context() as patience:  # a server that is back may be slow, on a busy machine
        patience.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
        key = of_lock().state.run_key
        use(address)
        sync.sync()
        whole = held(address, key, workspace.root / "held")
        capsys.readouterr()
        sync.sync()
        assert "already holds it all" in capsys.readouterr().out
        assert held(address, key, workspace.root / "held") == whole
        use(reference)
        sync.sync()
        assert whole == held(reference, key, workspace.root / "held")


@pytest.mark.parametrize("kind", [Fault.ERROR, *(pytest.param(kind, marks=SLOW) for kind in (Fault.LOST, Fault.HALF))])
def test_whichever_call_fails_publishing_again_gives_what_one_that_never_failed_gives(
    kind: Fault,
    workspace: Workspace,
    generator: Path,
    server: Server,
    reference: str,
    use: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace.train(generator)
    workspace.lock("train")
    use(server.uri)
    assert publish_through(server, kind, workspace.root) > 5
    assert_nothing_is_missing(server.uri, reference, use, capsys, workspace)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Fault.ERROR, Fault.LOST, Fault.HALF, Fault.SILENCE])
def test_whichever_call_fails_a_finished_state_is_published_whole_its_model_once(
    kind: Fault,
    workspace: Workspace,
    generator: Path,
    server: Server,
    reference: str,
    use: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace.finish(generator)
    use(server.uri)
    assert publish_through(server, kind, workspace.root) > 10
    assert_nothing_is_missing(server.uri, reference, use, capsys, workspace)


@contextmanager
def nobody_there(server: Server, database: str) -> Iterator[str]:
    """An address where nobody listens."""
    yield f"http://{USER}127.0.0.1:9"


@contextmanager
def silent(server: Server, database: str) -> Iterator[str]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://{USER}127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def failing(server: Server, database: str) -> Iterator[str]:
    """A server that answers 500 to all that writes."""
    server.fail(Fault.ERROR)
    yield server.uri.replace("//", f"//{USER}")
    server.fail(Fault.NONE)


@contextmanager
def locked(server: Server, database: str) -> Iterator[str]:
    """A database that another process holds."""
    with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield database


Outage = Callable[[Server, str], AbstractContextManager[str]]


@pytest.mark.usefixtures("as_train")
@pytest.mark.parametrize(
    ("outage", "reason"),
    [
        pytest.param(nobody_there, "Connection refused", marks=SLOW),
        pytest.param(silent, "timed out", marks=SLOW),
        (failing, "500"),
        (locked, "is locked by another"),
    ],
)
def test_a_stage_goes_on_through_an_outage_with_one_warning_and_sync_fills_in_what_was_missed(
    outage: Outage,
    reason: str,
    workspace: Workspace,
    generator: Path,
    server: Server,
    reference: str,
    use: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with outage(server, reference) as address:
        use(address)
        with observing.observed("train"):
            workspace.train(generator)
            journal.note(images_per_second=450.0)
    warned = capsys.readouterr().err
    assert warned.count("warning") == 1
    assert warned.startswith("warning: MLflow is not up to date")
    assert reason in warned
    assert "`python -m pipeline sync` fills in what is missing" in warned
    assert "hunter2" not in warned + "".join(path.read_text() for path in (workspace.root / "journal").iterdir())
    workspace.lock("train")
    back, other = (reference, server.uri) if outage is locked else (server.uri, reference)
    assert_nothing_is_missing(back, other, use, capsys, workspace)


@pytest.mark.usefixtures("as_train")
@pytest.mark.parametrize(("error", "bound"), [(None, "PATIENT_SECONDS"), (KeyboardInterrupt, "HURRIED_SECONDS")])
def test_a_stage_begins_before_the_store_is_asked_and_ends_within_a_bound_however_long_it_is_silent(
    error: type[BaseException] | None,
    bound: str,
    workspace: Workspace,
    generator: Path,
    use: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3600")
    monkeypatch.setattr(observing, bound, 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener, suppress(KeyboardInterrupt):
        use(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with observing.observed("train"):
            assert select.select([listener], [], [], 0)[0] == []
            asked, _ = listener.accept()
            workspace.train(generator)
            ending = time.monotonic()
            if error:
                raise error
    asked.close()
    assert time.monotonic() - ending < 30  # and not the hour that MLflow would wait
    assert capsys.readouterr().err.startswith("warning: MLflow was not up to date after")
    assert (workspace.root / "models" / "final.npz").read_bytes() == generator.read_bytes()


def test_the_longest_that_an_end_waits_is_what_the_docs_say() -> None:
    assert observing.PATIENT_SECONDS <= 60
    assert observing.HURRIED_SECONDS < 10
    said = " ".join((Path(__file__).parents[2] / "docs" / "mlflow.md").read_text("utf-8").split())
    assert "its end waits for it a minute at most" in said


@pytest.mark.slow
@pytest.mark.usefixtures("as_train")
def test_a_server_that_dies_half_way_holds_nothing_back_and_the_same_run_is_completed_when_it_is_back(
    workspace: Workspace,
    generator: Path,
    reference: str,
    use: Callable[[str], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mlflow").mkdir()
    dying = Server(tmp_path / "mlflow")
    use(dying.uri)
    dying.fail(Fault.DEATH, after=8)  # among the pictures
    with observing.observed("train"):
        workspace.curves(2)
        workspace.grid(0)
        workspace.grid(1)
        dying.wait()
        workspace.train(generator)
        journal.note(images_per_second=450.0)
    dying.stop()
    assert capsys.readouterr().err.count("warning") == 1
    workspace.lock("train")
    back = Server(tmp_path / "mlflow")
    try:
        assert_nothing_is_missing(back.uri, reference, use, capsys, workspace)
    finally:
        back.stop()


def test_the_paths_in_a_store_follow_its_folder_and_no_others(tmp_path: Path) -> None:
    store = tmp_path / "here & [there] 100%" / "mlruns"
    store.mkdir(parents=True)
    database = store / "mlflow.db"
    follow(database, store)
    assert not database.exists()
    places = {
        "file:///old/a%20b/mlruns/artifacts": (store / "artifacts").as_uri(),
        "file:///old/a%20b/mlruns/artifacts/1/artifacts": (store / "artifacts/1/artifacts").as_uri(),
        "/old/a b/mlruns/0": str(store / "0"),
        "/old/a b/mlruns2/0": "/old/a b/mlruns2/0",
        "/old/a#b?%20/mlruns/artifacts": str(store / "artifacts"),
        "s3://bucket/artifacts": "s3://bucket/artifacts",
        "mlflow-artifacts:/1": "mlflow-artifacts:/1",
    }
    with closing(sqlite3.connect(database)) as connection:
        follow(database, store)  # before MLflow has made its tables
        for table, column in PLACES:
            connection.execute(f"CREATE TABLE {table} ({column} TEXT)")
            connection.executemany(f"INSERT INTO {table} VALUES (?)", [(place,) for place in places])
        connection.commit()
        for _ in range(2):
            follow(database, store)
            for table, column in PLACES:
                found = [place for (place,) in connection.execute(f"SELECT {column} FROM {table}")]
                assert found == list(places.values())


@pytest.mark.slow
def test_a_store_whose_folder_was_moved_is_found_again_and_one_that_was_deleted_is_rebuilt(
    workspace: Workspace,
    generator: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace.finish(generator)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    key = of_lock().state.run_key
    first = publish(workspace.root)
    before = held(f"sqlite:///{address.database(workspace.root)}", key, tmp_path / "held")
    moved = tmp_path / "moved to [here] & 100%"
    workspace.root.rename(moved)
    monkeypatch.chdir(moved)
    assert sync_in_a_process_of_its_own() == f"MLflow run {first.name!r}: already holds it all\n"
    assert not workspace.root.exists()
    shutil.rmtree("mlruns")
    assert "1 models" in sync_in_a_process_of_its_own()
    assert held(f"sqlite:///{address.database(moved)}", key, tmp_path / "held") == before


def sync_in_a_process_of_its_own() -> str:
    """Publish to the workspace's own store where nothing is remembered of where files were."""
    command = [sys.executable, "-m", "pipeline", "sync"]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_what_only_a_journal_knew_is_left_blank_and_said(
    workspace: Workspace, generator: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.finish(generator)
    sync.sync()
    assert capsys.readouterr().err == (
        "warning: left blank in the run, since no journal here tells: the commit, the machine's name and the times of "
        "day, the speed, where the data came from\n"
    )
    assert [name for name in held_tags() if name in publication.JOURNALLED] == ["mnistgan.cpu"]
    assert held_tags()["mnistgan.cpu"] == runtime.cpu_model()


def test_in_a_record_from_before_trainings_named_their_machine_the_processor_is_blank_too(
    workspace: Workspace, generator: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.finish(generator)
    forget_machine()
    sync.sync()
    assert "no journal here tells: the commit, the processor, the machine's name" in capsys.readouterr().err
    assert "mnistgan.cpu" not in held_tags()


def test_what_the_run_tells_already_is_not_said_to_be_blank_where_the_journal_is_gone(
    workspace: Workspace,
    generator: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(git, "commit", lambda name, folder=Path(): "0123abc")
    with journal.recording(journal.path_of(workspace.root, keys.train_key_of_workspace()), "train"):
        journal.note(images_per_second=450.0)
    workspace.finish(generator)
    sync.sync()
    shutil.rmtree("journal")
    capsys.readouterr()
    sync.sync()
    assert capsys.readouterr().err == (
        "warning: left blank in the run, since no journal here tells: where the data came from\n"
    )
    assert held_tags()["mlflow.source.git.commit"] == "0123abc"


def held_tags() -> dict[str, str]:
    [run] = reading.Runs(Path.cwd()).of_key(of_lock().state.run_key)
    return dict(run.tags)


def test_a_run_starts_and_ends_when_its_journal_says_however_late_it_is_published(
    workspace: Workspace, generator: Path
) -> None:
    import mlflow

    with journal.recording(journal.path_of(workspace.root, keys.train_key_of_workspace()), "train"):
        pass
    workspace.finish(generator)
    run = mlflow.MlflowClient(address.uri(workspace.root)).get_run(publish(workspace.root).run_id)
    start, end = journal.read(journal.path_of(workspace.root, keys.train_key_of_workspace()))
    assert run.info.start_time == int(start.time.timestamp() * 1000)
    assert run.info.end_time == int(end.time.timestamp() * 1000)


COMMANDS = {
    "sync": ["sync"],
    "sync --follow": ["sync", "--follow", "train"],
    "generate": ["generate", "--run", "abcdef", "--out", "drawn.png"],
    "diff": ["diff", "run:abcdef", "run:123456"],
    "trace": ["trace", "abcdef"],
    "ui": ["ui"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize(
    "address", [f"http://{USER}127.0.0.1:9", "http://someone:hun%2Fter2@127.0.0.1:9", "http://hunter2@127.0.0.1:9"]
)
def test_no_command_that_talks_to_a_store_prints_its_password(
    words: list[str],
    address: str,
    workspace: Workspace,
    use: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(address)
    monkeypatch.setattr(sys, "argv", ["pipeline", *words])
    monkeypatch.setattr(sync, "_input_ended", lambda: True)
    monkeypatch.setattr(sync.os, "nice", lambda increment: None)
    with suppress(SystemExit):
        command_line.main()
    printed = capsys.readouterr()
    said = printed.out + printed.err
    assert "MLflow" in said
    assert not [secret for secret in ("hunter2", "ter2", "hun%2F", "hun/") if secret in said]


@pytest.mark.parametrize(
    ("asks", "given"),
    [
        ("Bearer t0ken", {"MLFLOW_TRACKING_TOKEN": "t0ken"}),
        (  # HTTP's own example, RFC 7617
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            {"MLFLOW_TRACKING_USERNAME": "Aladdin", "MLFLOW_TRACKING_PASSWORD": "open sesame"},
        ),
    ],
    ids=["token", "password"],
)
def test_a_server_is_signed_in_to_by_the_environment_and_what_it_refuses_is_said_and_not_printed(
    asks: str,
    given: dict[str, str],
    workspace: Workspace,
    generator: Path,
    server: Server,
    use: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace.train(generator)
    workspace.lock("train")
    use(server.uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # nothing here is to be slow, but a busy machine is
    monkeypatch.setattr(sys, "argv", ["pipeline", "sync"])
    server.fail(Fault.NONE, asks=asks)
    try:
        for secrets, code in ((dict.fromkeys(given, "wr0ng"), TrackingError.exit_code), (given, 0)):
            for name, secret in secrets.items():
                monkeypatch.setenv(name, secret)
            with pytest.raises(SystemExit) as ended:
                command_line.main()
            printed = capsys.readouterr()
            said = printed.out + printed.err
            assert (ended.value.code or 0) == code, said
            assert ("the server asks for a sign-in" if code else "added") in said
            assert not [secret for secret in secrets.values() if secret in said]
        import mlflow

        assert len(runs_of(mlflow.MlflowClient(server.uri), of_lock().state.run_key)) == 1
    finally:
        server.fail(Fault.NONE)


@pytest.mark.usefixtures("as_train")
def test_nothing_that_is_recorded_holds_a_password(
    workspace: Workspace,
    generator: Path,
    server: Server,
    tmp_path: Path,
    use: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(server.uri.replace("//", f"//{USER}"))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--note", f"{address.uri(workspace.root)} t0ken"])
    with journal.recording(journal.path_of(workspace.root, keys.train_key_of_workspace()), "train"):
        pass
    workspace.finish(generator)
    run = publish(workspace.root).run_id
    import mlflow

    client = mlflow.MlflowClient()
    client.download_artifacts(run, "", str(tmp_path))
    [model] = client.search_logged_models([client.get_run(run).info.experiment_id], f"source_run_id = '{run}'")
    recorded = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    recorded += [json.dumps(each.to_dictionary(), default=str).encode() for each in (client.get_run(run), model)]
    assert len(recorded) > 20
    assert not [content for content in recorded if b"hunter2" in content or b"t0ken" in content]


def test_a_tree_that_holds_the_password_is_not_kept_as_a_patch(
    workspace: Workspace, use: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], check=True)
    kept = workspace.root / "journal" / "key.patch"
    Path("src/code.py").write_text("store = 'http://someone:hunter2@127.0.0.1:9'\n")
    use(f"http://{USER}127.0.0.1:9")
    patches.keep(kept)
    assert not kept.exists()
    assert capsys.readouterr().err == (
        "warning: the tree holds the tracking store's password or token; not kept as a patch\n"
    )
