"""What a team shares, of real parts: PostgreSQL, an object store and MLflow's server on both."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pipeline import ROOT
from pipeline.tracking.sources import of_lock
from scripts import services
from tests.pipeline.fabricated import Workspace
from tests.pipeline.published import images, runs_of, steps

pytestmark = pytest.mark.slow


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The services, by whose variables every command finds them."""
    if not services.postgres_programs():
        pytest.skip(services.NO_POSTGRES)
    folder = Path(tempfile.gettempdir()) / f"mnistgan-{uuid.uuid4().hex}"  # one that PostgreSQL's own user may enter
    told = run(ROOT, "scripts.services", "start", "--folder", str(folder), "--port", str(free_ports()))
    for name, value in re.findall(r"^export (\w+)=(.*)$", told, re.MULTILINE):
        monkeypatch.setenv(name, value)
    yield
    run(ROOT, "scripts.services", "stop", "--folder", str(folder))


def free_ports(count: int = 3) -> int:
    """The first of so many ports in a row that nobody listens on."""
    for first in range(20_000, 30_000, count):
        with ExitStack() as held, suppress(OSError):
            for port in range(first, first + count):
                held.enter_context(socket.socket()).bind((services.HOST, port))
            return first
    raise AssertionError("no ports are free")


def run(folder: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def sync(folder: Path) -> None:
    """Publish; where another clone takes its time over the same run, wait for it and try again, as is said then."""
    command = [sys.executable, "-m", "pipeline", "sync"]
    while (done := subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)).returncode:
        assert "another clone" in done.stderr, done.stderr


def git(folder: Path, *command: str) -> None:
    subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)


def test_what_one_clone_pushes_another_pulls_and_both_publish_it_at_once_as_one_run(
    workspace: Workspace, generator: Path, team: None, tmp_path: Path
) -> None:
    import boto3
    import mlflow

    mine, theirs = workspace.root, tmp_path / "theirs"
    workspace.finish(generator)
    git(mine, "init", "--quiet")
    git(mine, "config", "user.name", "someone")
    git(mine, "config", "user.email", "someone@example.org")
    run(mine, "dvc", "init", "--quiet", "--force")
    run(mine, "dvc", "commit", "--quiet", "--force")
    run(mine, "dvc", "remote", "add", "--default", "store", f"s3://{services.BUCKET}/dvc")
    git(mine, "add", "--all")
    git(mine, "commit", "--quiet", "--message", "a state")
    run(mine, "dvc", "push", "--quiet")
    shutil.rmtree(mine / ".dvc" / "cache")
    git(tmp_path, "clone", "--quiet", str(mine), str(theirs))
    run(theirs, "dvc", "pull", "--quiet")
    assert (theirs / "models" / "final.npz").read_bytes() == generator.read_bytes()

    with ThreadPoolExecutor() as pool:
        list(pool.map(sync, (mine, theirs)))
    client = mlflow.MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    [found] = runs_of(client, of_lock().state.run_key)
    assert steps(client, found.info.run_id, "training/generator_loss") == [100, 200, 300]
    assert images(client, found.info.run_id)
    weights = client.download_artifacts(found.info.run_id, "models/final.npz", str(tmp_path))
    assert Path(weights).read_bytes() == generator.read_bytes()
    listed = boto3.client("s3").list_objects_v2(Bucket=services.BUCKET)["Contents"]
    assert {each["Key"].partition("/")[0] for each in listed} == {"dvc", "mlflow"}
