"""Opening the store: its experiment, its view, and what is said where it can't be opened."""

import os
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from mnistgan.errors import TrackingError
from pipeline.tracking import connection, failures
from pipeline.tracking.store import Store
from tests.pipeline.fabricated import Workspace


def test_the_columns_of_the_table_of_runs_follow_this_version(workspace: Workspace, client) -> None:
    experiment = Store(workspace.root).experiment
    assert client.get_experiment(experiment).tags[connection.VIEW_TAG] == connection.VIEW_STATE
    client.set_experiment_tag(experiment, connection.VIEW_TAG, "{}")  # an earlier version's
    Store(workspace.root)
    assert client.get_experiment(experiment).tags[connection.VIEW_TAG] == connection.VIEW_STATE


def test_a_deleted_experiment_is_an_error_that_says_how_to_free_its_name(workspace: Workspace, client) -> None:
    experiment = Store(workspace.root).experiment
    client.delete_experiment(experiment)
    try:
        with pytest.raises(TrackingError, match="was deleted") as raised:
            Store(workspace.root)
    finally:
        client.restore_experiment(experiment)
    address = os.environ["MLFLOW_TRACKING_URI"]
    assert f"MLFLOW_TRACKING_URI={address} mlflow experiments restore --experiment-id {experiment}" in str(raised.value)
    assert f"mlflow gc --backend-store-uri {address} --experiment-ids {experiment}" in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_store_away_is_one_message_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:hunter2@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match="MLflow's store can't be used") as raised:
        Store(tmp_path)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("said", "told"),
    [("a " + 400 * "b", "a " + 297 * "b" + "…"), (100 * "word ", 59 * "word " + "word…"), ("a\n b", "a b")],
)
def test_a_reason_that_is_long_is_cut_between_words_but_a_long_word_is_not_left_out(said: str, told: str) -> None:
    assert failures._shortened(said) == told


@pytest.mark.parametrize("often", [2, failures.COLLISIONS])
def test_who_was_refused_since_two_wrote_the_same_at_once_tries_again_and_is_told_so_in_the_end(
    often: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    refused: list[str] = []

    @failures.again_where_two_collided
    def write() -> str:
        with failures.speaking_plainly():
            if len(refused) < often:
                refused.append("(psycopg.errors.UniqueViolation) duplicate key value violates ... [SQL: CREATE TABLE")
                raise MlflowException(refused[-1])
        return "written"

    if often < failures.COLLISIONS:
        assert write() == "written"
    else:
        with pytest.raises(TrackingError, match="another publisher writes the same") as raised:
            write()
        assert "SQL" not in str(raised.value)
    assert len(refused) == often
