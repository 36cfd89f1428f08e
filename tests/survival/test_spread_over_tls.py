"""A scheduler that listens with TLS: a job goes through, and who has no certificate of its authority does not."""

import shlex
import socket
import ssl
import subprocess
from pathlib import Path

import psutil
import pytest

from benchmarks.stub import Started, Stub, free_port

pytestmark = pytest.mark.slow

MADE = """
openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=mnistgan-ca -keyout ca.key -out ca.pem
openssl req -newkey rsa:3072 -nodes -subj /CN=mnistgan -keyout dask.key -out dask.csr
openssl x509 -req -in dask.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -out dask.pem
"""
"""As docs/scale.md has it."""


def certify(folder: Path) -> dict[str, str]:
    """Make an authority and a certificate of it; the variables that name them to each role."""
    folder.mkdir()
    for line in MADE.strip().splitlines():
        subprocess.run(shlex.split(line), cwd=folder, check=True, capture_output=True)
    prefix = "DASK_DISTRIBUTED__COMM__TLS__"
    roles = ("SCHEDULER", "WORKER", "CLIENT")
    own = {f"{prefix}{role}__{of}": str(folder / f"dask.{end}") for role in roles for of, end in KINDS.items()}
    return {f"{prefix}CA_FILE": str(folder / "ca.pem"), **own}


KINDS = {"CERT": "pem", "KEY": "key"}


def knock(port: int, trusted: Path, certificate: Path | None) -> None:
    """Shake hands with a listener and read a byte."""
    context = ssl.create_default_context(cafile=str(trusted / "ca.pem"))
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(certificate / "dask.pem", certificate / "dask.key")
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as secured:
        secured.settimeout(10)
        assert secured.recv(1)


def listening(one: Started) -> list[tuple[str, int]]:
    """The addresses that a command listens at."""
    found = psutil.Process(one.process.pid).net_connections("inet")
    return [(each.laddr.ip, each.laddr.port) for each in found if each.status == psutil.CONN_LISTEN]


def test_the_commands_that_make_certificates_are_those_of_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "scale.md").read_text("utf-8")
    assert f"```bash{MADE}```" in page


def test_a_job_goes_through_and_who_shows_no_certificate_of_its_authority_is_not_heard(tmp_path: Path) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    settings = certify(ours)
    certify(others)
    (tmp_path / "stub").mkdir()
    stub, address = Stub(tmp_path / "stub", settings), f"tls://127.0.0.1:{free_port()}"
    started = [stub.start("jobs", "scheduler", "--listen", address)]
    try:
        started[0].says("scheduler at tls://")
        started.append(stub.worker(address, "one"))
        code, said = stub.run_jobs(address, 1, 0).end()
        assert code == 0, said
        assert stub.recorded == {"seed0": 1}
        heard_at = {place for one in started for place in listening(one)}
        assert {host for host, _ in heard_at} == {"127.0.0.1"}
        port = int(address.rpartition(":")[2])
        knock(port, ours, ours)
        for certificate in (None, others):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                knock(port, ours, certificate)
    finally:
        for one in started:
            one.kill()
