"""MLflow's private parts that are worked around: each is as it was seen. A new version that changes one fails here."""

import re
import sqlite3
from contextlib import closing
from importlib import metadata
from pathlib import Path

import PIL.Image
import pytest

from pipeline import ROOT
from pipeline.tracking import SEEN_IN, database, images
from pipeline.tracking.connection import GRID, connect
from tests.pipeline.fabricated import Workspace
from tests.pipeline.published import publish


def test_they_were_seen_in_the_version_that_is_installed() -> None:
    assert metadata.version("mlflow").startswith(f"{SEEN_IN}.")


PUBLIC = (
    *("entities", "entities.model_registry", "exceptions", "keras", "models", "pyfunc", "pyfunc.model"),
    *("types", "types.schema"),
)


def test_private_parts_of_mlflow_are_imported_in_few_modules_alone() -> None:
    public = {"", *(f".{name}" for name in PUBLIC)}
    found = {
        (path.stem, name)
        for path in (ROOT / "pipeline").rglob("*.py")
        for name in re.findall(r"(?:from|import) mlflow(\S*)", path.read_text("utf-8"))
        if name not in public
    }
    assert found == {
        ("database", ".store.tracking.sqlalchemy_store"),
        ("images", ".tracking.multimedia"),
        ("served", ".protos.databricks_pb2"),  # of which its documentation imports the codes of errors
    }


def test_the_tables_that_hold_where_files_are_are_those_that_follow_a_moved_store(
    workspace: Workspace, generator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    workspace.finish(generator)
    publish(workspace.root)
    store = workspace.root / "mlruns"
    with closing(sqlite3.connect(store / "mlflow.db")) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [
            (table, name) for table in tables for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")
        ]
        holding = {
            (table, name)
            for table, name in columns
            for (text,) in connection.execute(f"SELECT [{name}] FROM [{table}]")
            if str(store) in str(text)
        }
    assert holding == set(database.PLACES)


def test_a_logged_picture_is_two_files_whose_names_tell_key_and_step(workspace: Workspace) -> None:
    at = connect(workspace.root)
    run_id = at.client.create_run(at.experiment).info.run_id
    at.client.log_image(run_id, PIL.Image.new("L", (4, 4)), key=GRID, step=7, synchronous=True)
    paths = {file.path for file in at.client.list_artifacts(run_id, images.FOLDER)}
    assert paths == set(images._files(images.stems(paths)[7]))
