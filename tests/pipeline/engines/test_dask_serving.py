"""Who may reach a scheduler and its workers, before any of them starts."""

import sys
from pathlib import Path

import dask
import pytest

from mnistgan.errors import UsageError
from pipeline.commands.jobs.scheduler import scheduler
from pipeline.commands.jobs.worker import worker
from pipeline.commands.seeds.train import train as seeds
from pipeline.engines import dask_serving
from pipeline.engines.dask_engine import Cluster
from pipeline.engines.jobs import Job
from tests.pipeline.repository import Repository, recorded, repository

__all__ = ["recorded", "repository"]


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:8786", "tcp://10.0.0.1:8786", "tcp://head.example.org:8786"])
def test_off_this_machine_nothing_starts_without_tls(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = [lambda: scheduler(listen=address), lambda: worker(scheduler=address), lambda: Cluster(address)]
    for start in starts:
        with pytest.raises(UsageError, match=r"run any code there, so off this machine it takes tls://, with a cert"):
            start()


@pytest.mark.parametrize("role", ["scheduler", "worker", "client"])
def test_tls_takes_an_authority_a_certificate_and_its_key_and_names_those_that_are_missing(
    role: str, tmp_path: Path
) -> None:
    address = "tls://10.0.0.1:8786"
    named = f"DASK_DISTRIBUTED__COMM__TLS__CA_FILE, .*TLS__{role.upper()}__CERT, .*TLS__{role.upper()}__KEY should name"
    with pytest.raises(UsageError, match=named):
        dask_serving.security(address, role)
    for file in ("ca", "cert", "key"):
        (tmp_path / file).touch()
    own = {f"distributed.comm.tls.{role}.{file}": str(tmp_path / file) for file in ("cert", "key")}
    with dask.config.set({"distributed.comm.tls.ca-file": str(tmp_path / "ca"), **own}):
        assert dask_serving.security(address, role).require_encryption
        (tmp_path / "key").unlink()
        with pytest.raises(UsageError, match=f"certificates; DASK_DISTRIBUTED__COMM__TLS__{role.upper()}__KEY should"):
            dask_serving.security(address, role)


def test_where_dask_is_missing_the_command_that_brings_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        UsageError, match=r"distributed.*; `python -m pip install .* -r requirements-spread.lock` brings"
    ):
        worker()


def test_what_workers_could_not_have_is_refused_before_any_is_asked(repository: Repository) -> None:
    cluster = Cluster("tcp://127.0.0.1:1")
    job = Job("one", repository.git("rev-parse", "HEAD"), ())
    with pytest.raises(UsageError, match=r"origin has no commit \w{7}, which workers fetch; `git push` it"):
        cluster.submit(lambda: [job])
    (repository.root / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(UsageError, match=r"the tree differs from its commit, which is all that workers get"):
        seeds(spread="dask")


@pytest.mark.parametrize("address", ["127.0.0.1:8786", "tcp://127.0.0.1", "http://127.0.0.1:80", "tcp://:8786", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"takes tcp://127.0.0.1:PORT, or tls://HOST:PORT"):
        dask_serving.security(address, "client")


def test_on_this_machine_alone_no_certificate_is_asked_for() -> None:
    for address in ("tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786"):
        assert not dask_serving.security(address, "scheduler").require_encryption
