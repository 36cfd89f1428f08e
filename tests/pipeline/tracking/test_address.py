"""An address of MLflow's store is read once: from the main repository, escaped as what it is."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from mnistgan.errors import UsageError
from pipeline.commands import sync
from pipeline.dvcfiles import layout
from pipeline.runs import journal
from pipeline.tracking import address, reading
from pipeline.tracking.connection import connect
from pipeline.tracking.sources import of_lock
from tests.pipeline.fabricated import Workspace

AWKWARD = ("a b%20c&dü", "what?", "a#b", "50%", "a@b:c", 'it\'s "so"', "two\nlines", "a+b=c;d,e")

Give = Callable[[str], None]


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Give:
    return lambda given: monkeypatch.setenv(address.VARIABLE, given)


@pytest.mark.parametrize(
    "written", ["sqlite:///mlruns/x.db", "sqlite:///./mlruns/x.db", "sqlite+pysqlite:///mlruns/x.db?timeout=20"]
)
def test_a_relative_address_is_the_main_repositorys_wherever_a_stage_works(
    written: str, give: Give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = tmp_path / ".dvc/tmp/exps/standalone/tmp1"
    experiment.mkdir(parents=True)
    monkeypatch.chdir(experiment)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    give(written)
    found = address.uri(layout.main_root())
    assert address.sqlite_file(found) == tmp_path / "mlruns" / "x.db"
    assert found.partition("?")[2] == written.partition("?")[2]
    give(found)
    assert address.uri(Path("/elsewhere")) == found


@pytest.mark.parametrize("name", AWKWARD)
def test_the_store_of_a_folder_of_any_name_is_opened_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.db.utils import create_sqlalchemy_engine_with_retry

    monkeypatch.delenv(address.VARIABLE, raising=False)
    root = tmp_path / name
    (root / "mlruns").mkdir(parents=True)
    engine = create_sqlalchemy_engine_with_retry(address.uri(root))
    engine.connect().close()
    engine.dispose()
    assert [path.relative_to(tmp_path) for path in sorted(tmp_path.rglob("*"))] == [
        Path(name),
        Path(name, "mlruns"),
        Path(name, "mlruns", "mlflow.db"),
    ]


def test_in_a_folder_of_an_awkward_name_a_state_is_published_found_and_read_back(
    generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(address.VARIABLE, raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    made = Workspace.create(tmp_path / "a b%20c&dü?#'", seed=0)
    monkeypatch.chdir(made.root)
    made.finish(generator)
    sync.sync()
    sync.sync()
    assert "already holds it all" in capsys.readouterr().out
    key = of_lock().state.run_key
    read = reading.read_files(key, ["models/final.npz"])
    assert read == {"models/final.npz": generator.read_bytes()}
    assert [path.name for path in tmp_path.iterdir()] == [made.root.name]


@pytest.mark.parametrize(
    "written",
    [
        *(
            "./mlruns",
            "mlruns/mlflow.db",
            "file:mlruns",
            "file:///mlruns",
            "localhost:5000",
            "127.0.0.1:5000",
            "http:/h",
        ),
        *("sqlite", "sqlite:x.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://mlruns/mlflow.db"),
    ],
)
def test_what_names_no_store_that_lasts_is_refused_with_what_is_taken(written: str, give: Give, tmp_path: Path) -> None:
    give(written)
    with pytest.raises(UsageError, match=r"takes sqlite:///PATH of a database file, or http://HOST:PORT"):
        address.uri(tmp_path)


@pytest.mark.parametrize("written", ["./mlruns", "file:///shared/mlruns"])
def test_a_folder_is_refused_as_mlflow_itself_refuses_it(
    written: str, give: Give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(mlflow.MlflowException, match="mlflow migrate-filestore"):
        mlflow.MlflowClient(written).search_experiments()
    give(written)
    with pytest.raises(UsageError, match="MLflow no longer takes a folder"):
        address.uri(tmp_path)


@pytest.mark.parametrize("name", ["a%20b", "what?"])
def test_a_path_that_was_pasted_into_an_address_is_refused_with_its_escapes(
    name: str, give: Give, tmp_path: Path
) -> None:
    (tmp_path / name / "mlruns").mkdir(parents=True)
    give(f"sqlite:///{tmp_path}/{name}/mlruns/mlflow.db")
    with pytest.raises(UsageError, match="% is written %25, and \\? is written %3F"):
        address.uri(tmp_path)


def test_an_at_sign_in_a_path_is_no_password(give: Give) -> None:
    give("sqlite:////home/a:b@c/mlruns/mlflow.db")
    assert journal.known_secrets() == []


def test_a_store_that_may_only_be_read_is_read(workspace: Workspace, generator: Path, read_only: Give) -> None:
    workspace.finish(generator)
    sync.sync()
    key = of_lock().state.run_key
    file = address.sqlite_file(address.uri(workspace.root))
    assert file is not None
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DELETE FROM experiment_tags")  # what publishing would set anew
        connection.commit()
    read_only(str(file.parent))
    assert reading.named(connect(workspace.root), key).info.status == "FINISHED"


@pytest.mark.parametrize("held", ["models/final.npz", "models/generator.npz"])
def test_a_runs_weights_are_fetched_by_the_name_that_they_had(
    held: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SimpleNamespace(info=SimpleNamespace(run_id="1"), data=SimpleNamespace(params={}))
    monkeypatch.setattr(reading, "connect", lambda _root: SimpleNamespace(client=None))
    monkeypatch.setattr(reading, "named", lambda _at, _run: run)
    monkeypatch.setattr(reading.holdings, "read", lambda _client, _run_id: {held, "dvc.lock"})
    monkeypatch.setattr(reading, "_download", lambda _at, _run_id, artifact, folder: folder / artifact)
    assert reading.download_generator("1", tmp_path)[0] == tmp_path / held
