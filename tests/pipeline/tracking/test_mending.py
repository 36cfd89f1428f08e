"""What a person deletes or damages in MLflow is made again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.fabricated import Workspace
from tests.pipeline.published import MODEL, WEIGHTS, publish, whole


def folder_of(client, run_id: str) -> Path:
    return Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://"))


def model_of(client, run_id: str):
    [model] = client.search_logged_models([client.get_run(run_id).info.experiment_id], f"source_run_id = '{run_id}'")
    return model


def model_folder(client, run_id: str) -> Path:
    return Path(model_of(client, run_id).artifact_location.removeprefix("file://"))


def versions_of(client, run_id: str):
    return client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'")


def delete_files(client, run_id: str) -> None:
    shutil.rmtree(folder_of(client, run_id))
    shutil.rmtree(model_folder(client, run_id))


def cut_a_file_short(client, run_id: str) -> None:
    (folder_of(client, run_id) / "metrics" / "evaluation.json").write_bytes(b"{")


def damage_pictures(client, run_id: str) -> None:
    next((folder_of(client, run_id) / "images").glob("grid+step+1+*.webp")).write_bytes(b"torn")
    next((folder_of(client, run_id) / "images").glob("grid+step+2+*.png")).unlink()


DELETIONS = {
    "the files, by hand": delete_files,
    "a file cut short": cut_a_file_short,
    "pictures": damage_pictures,
    "a model's file cut short": lambda client, run_id: (model_folder(client, run_id) / WEIGHTS).write_bytes(b"torn"),
    "the version": lambda client, run_id: client.delete_model_version(MODEL, versions_of(client, run_id)[0].version),
    "the logged model": lambda client, run_id: client.delete_logged_model(model_of(client, run_id).model_id),
    "the registered model": lambda client, run_id: client.delete_registered_model(MODEL),
    "the registered model's name": lambda client, run_id: client.rename_registered_model(MODEL, f"renamed {run_id}"),
    "the run": lambda client, run_id: client.delete_run(run_id),
}


QUICK = {"pictures", "a file cut short", "the version", "the registered model"}
"""One of each kind; a publishing of a model takes seconds, and each case takes two or three."""


@pytest.mark.parametrize(
    "delete",
    [
        pytest.param(delete, id=what, marks=[] if what in QUICK else pytest.mark.slow)
        for what, delete in DELETIONS.items()
    ],
)
def test_what_a_person_deletes_in_mlflow_is_made_again_and_said(
    workspace: Workspace, generator: Path, client, delete: Callable[..., None]
) -> None:
    workspace.finish(generator)
    first = publish(workspace.root)
    assert whole(client, first.run_id)
    delete(client, first.run_id)
    again = publish(workspace.root)
    assert again.is_news
    assert "made again" in "".join(again.mended)
    assert whole(client, again.run_id)
    last = publish(workspace.root)
    assert (last.is_news, last.mended) == (False, ())
