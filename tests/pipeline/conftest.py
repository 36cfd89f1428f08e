"""What tests of tracking share: one MLflow store, since a new one takes seconds to make, and one generator."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2  # noqa: F401 - DVC's: it reads certificates at its import, before another library's TLS hides its own
import pytest

from pipeline.runtime import load_tensorflow
from pipeline.tracking.store import Store
from tests.pipeline.fabricated import Workspace

load_tensorflow(verbose=False, threads=2)  # before any test starts it with other threads

if TYPE_CHECKING:
    from mlflow import MlflowClient

ROOT = Path(__file__).resolve().parents[2]
_seeds = itertools.count()


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A signal that a command ignores is not ignored by what later tests start."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store that holds the experiment and nothing else yet."""

    folder = tmp_path_factory.mktemp("store")
    before = os.environ.pop("MLFLOW_TRACKING_URI", None)
    Store(folder)
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before
    return folder


@pytest.fixture
def client(store_folder: Path) -> "MlflowClient":
    """MLflow's own client on that store."""
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{store_folder}/mlruns/mlflow.db")


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an untrained generator."""
    from mnistgan.families import sampling
    from mnistgan.families.dcgan import networks as dcgan

    path = tmp_path_factory.mktemp("generator") / "generator.npz"
    sampling.save(path, "dcgan", dcgan.generator(0))
    return path


@pytest.fixture
def workspace(tmp_path: Path, store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A fabricated workspace, of keys that no other test has, with the store that all share; the current folder."""
    made = Workspace.create(tmp_path / "workspace", seed=next(_seeds))
    monkeypatch.chdir(made.root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store_folder}/mlruns/mlflow.db")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}")
    return made


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Makes a folder one that may only be read, for root too, who becomes nobody until the test ends."""
    changed: list[tuple[Path, int]] = []

    def change(folder: str) -> None:
        place = Path(folder)
        for path in (place, *place.iterdir()):
            changed.append((path, path.stat().st_mode))
            path.chmod(0o555 if path.is_dir() else 0o444)
        if os.geteuid() == 0:
            for above in (tmp_path, *tmp_path.parents, *place.parents):
                if not above.stat().st_mode & 0o005:
                    changed.append((above, above.stat().st_mode))
                    above.chmod(above.stat().st_mode | 0o055)
            os.setresuid(65534, 65534, 0)

    uid = os.getuid()
    yield change
    os.setresuid(uid, uid, uid)
    for path, mode in reversed(changed):
        path.chmod(mode)
