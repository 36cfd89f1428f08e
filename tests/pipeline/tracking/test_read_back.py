"""Runs, weights and models, found and read back."""

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

OURS = ("mnistgan", "pipeline")


@pytest.mark.slow
def test_a_registered_model_is_asked_where_this_project_is_not(workspace: Workspace, tmp_path: Path, client) -> None:
    from mnistgan import families
    from mnistgan.families import sampling
    from mnistgan.families.contract import Ask

    sampling.save(tmp_path / "told.npz", "cgan", families.find("cgan").build_sampled(MNIST, 0))
    workspace.finish(tmp_path / "told.npz")
    done = publish(workspace.root)
    [version] = client.search_model_versions(f"name = '{MODEL}' and run_id = '{done.run_id}'")
    draw = (
        "import importlib.abc, sys\n"
        "class Refusing(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        assert name.partition('.')[0] not in {OURS}, name\n"
        "sys.meta_path.insert(0, Refusing())\n"
        "import mlflow, numpy as np\n"
        f"model = mlflow.pyfunc.load_model('models:/{MODEL}/{version.version}')\n"
        "np.save('images.npy', model.predict([], params={'count': 3, 'seed': 5, 'classes': [7]}))\n"
    )
    subprocess.run([sys.executable, "-I", "-c", draw], check=True, cwd=tmp_path, capture_output=True)
    drawn = np.load(tmp_path / "images.npy", allow_pickle=False)
    expected = sampling.load(tmp_path / "told.npz", COUNTS).images(Ask(3, 5, np.full(3, 7, np.int32)))
    assert np.abs(drawn.astype(int) - expected).max() <= 1


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
        copy, _ = reading.download_generator(name, tmp_path / str(number))
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
