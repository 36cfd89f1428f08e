"""Runs, weights and models, found and read back."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow.entities import Run

from mnistgan.errors import UsageError
from pipeline.tracking import reading
from pipeline.tracking.connection import Connection
from pipeline.tracking.holdings import Holdings
from pipeline.tracking.sources import of_lock
from tests.pipeline.fabricated import Workspace
from tests.pipeline.published import MODEL, publish
from tests.specs import COUNTS, MNIST


@pytest.mark.slow
def test_a_clean_process_draws_from_the_registered_model(workspace: Workspace, generator: Path, client) -> None:
    workspace.finish(generator)
    done = publish(workspace.root)
    [version] = client.search_model_versions(f"name = '{MODEL}' and run_id = '{done.run_id}'")
    latents = np.random.default_rng(0).standard_normal((3, 100)).astype(np.float32)
    np.save("latents.npy", latents, allow_pickle=False)
    draw = (
        "import mlflow, numpy as np, sys\n"
        f"model = mlflow.pyfunc.load_model('models:/{MODEL}/{version.version}')\n"
        "np.save('images.npy', model.predict(np.load('latents.npy')))\n"
        "assert not [name for name in sys.modules if name.startswith(('mnistgan', 'pipeline'))]\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", draw], check=True, env=environment, capture_output=True)
    from mnistgan.families import sampling

    drawn = np.load("images.npy", allow_pickle=False)
    assert drawn.shape == (3, 28, 28, 1)
    assert np.abs(drawn).max() <= 1
    expected = np.asarray(sampling.load(generator, COUNTS).network(latents, training=False))
    np.testing.assert_allclose(drawn, expected, atol=1e-5)


def test_a_registered_model_that_takes_classes_is_asked_for_them(workspace: Workspace, tmp_path: Path, client) -> None:
    import mlflow

    from mnistgan import families
    from mnistgan.families import sampling

    network = families.find("cgan").build_sampled(MNIST, 0)
    sampling.save(tmp_path / "told.npz", "cgan", network)
    workspace.finish(tmp_path / "told.npz")
    done = publish(workspace.root)
    [version] = client.search_model_versions(f"name = '{MODEL}' and run_id = '{done.run_id}'")
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version.version}")
    latents, classes = sampling.latents(0, 3, 100), np.array([7, 1, 7], np.int32)
    drawn = model.predict({"latents": latents, "classes": classes})
    expected = np.asarray(network([latents, classes], training=False))
    np.testing.assert_allclose(drawn, expected, atol=1e-5)


def test_a_generator_is_fetched_by_id_name_experiment_or_the_beginning_of_a_key_and_no_other_run_is_read(
    workspace: Workspace, generator: Path, tmp_path: Path, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.finish(generator)
    done = publish(workspace.root)
    experiment = f"lated-dhow-{done.run_id[:4]}"
    client.set_tag(done.run_id, "mnistgan.experiment", experiment)
    search, found = Connection.search, list[Run]()

    def search_and_count(at: Connection, condition: str = "") -> list[Run]:
        found.extend(runs := search(at, condition))
        return runs

    monkeypatch.setattr(Connection, "search", search_and_count)
    now = of_lock().state
    names = (done.run_id, done.name, experiment, done.run_id[:8], now.short, now.train_key[:8])
    for number, name in enumerate(names):
        copy = reading.download_generator(name, tmp_path / str(number))
        assert copy.read_bytes() == generator.read_bytes()
    assert len(found) == len(names)
    for nobody in ("nobody", "f" * 6, "it's", '"it\'s"', "%"):
        with pytest.raises(UsageError, match="no MLflow run has the id, name, experiment or key"):
            reading.download_generator(nobody, tmp_path)


def test_of_several_runs_of_a_key_the_id_is_asked_for(workspace: Workspace, generator: Path, tmp_path: Path) -> None:
    workspace.finish(generator)
    publish(workspace.root)
    workspace.evaluate(fid=99.0)
    workspace.lock("evaluate")
    publish(workspace.root)
    with pytest.raises(UsageError, match="2 MLflow runs match"):
        reading.download_generator(of_lock().state.short, tmp_path)


@pytest.mark.parametrize(
    ("place", "folder"),
    [
        ("/a#b%20c?", "/a#b%20c?"),
        ("file:///a%23b/c", "/a#b/c"),
        ("s3://bucket/a", None),
        ("mlflow-artifacts:/1", None),
        ("", None),
    ],
)
def test_a_place_is_a_folder_here_by_its_url_or_its_plain_path(place: str, folder: str | None) -> None:
    assert Holdings.of(lambda path: [], place).folder == (Path(folder) if folder else None)
