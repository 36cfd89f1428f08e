"""The server answers over HTTP as MLflow's own does, and refuses in one sentence."""

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mnistgan import exporting
from mnistgan.families.sampling import Sampler
from pipeline.tracking import serving
from pipeline.tracking.failures import speaking_plainly
from tests.families.toy import Toy
from tests.specs import MNIST

with speaking_plainly():  # MLflow warns of its own code when that is imported
    from pipeline.tracking.served import Generator


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel of a family that takes no classes."""
    folder = tmp_path_factory.mktemp("model") / "graph"
    family = Toy()
    exporting.write_saved_model(Sampler(family, family.build_sampled(MNIST, 0), MNIST), folder, {"family": "toy"})
    return folder


@pytest.fixture(scope="module")
def generator(folder: Path) -> Generator:
    return serving.load(folder)


def test_a_request_is_answered_as_mlflow_answers(generator: Generator) -> None:
    status, content = serving.answer(generator, b'{"inputs": [], "params": {"count": 2}}')
    assert status == 200
    assert json.loads(content)["predictions"] == generator.predict(None, [], {"count": 2}).tolist()


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"[[0.123", "the request is no JSON; takes "),
        (b"[]", "the request should hold inputs, and may hold params; takes "),
        (b'{"instances": []}', "the request should hold inputs, and may hold params; takes "),
        (b'{"inputs": [[0.123]], "params": [3]}', "params: takes classes, count, format, seed, and no other"),
        (b'{"inputs": [], "params": {"cuont": 3}}', "params: takes classes, count, format, seed, and no other"),
        (b'{"inputs": [[0.123]], "params": {"count": "three"}}', f"params: {serving.TYPES}"),
        (b'{"inputs": [[0.123]], "params": {"classes": 7}}', f"params: {serving.TYPES}"),
        (b'{"inputs": [[0.123], [0.123, 1]]}', "latents: rows of different lengths; takes [N, 784]"),
    ],
)
def test_what_is_no_request_is_refused_without_repeating_it(generator: Generator, body: bytes, sentence: str) -> None:
    status, content = serving.answer(generator, body)
    assert status == 400
    said = json.loads(content)["message"]
    assert said.startswith(sentence)
    assert "0.123" not in said


def test_a_request_that_is_too_long_is_refused(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(serving.app(generator))
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
            return await client.get("/health"), await client.post("/invocations", content=b'{"inputs": []}')

    monkeypatch.setattr(serving, "MOST_BYTES", 10)
    healthy, refused = asyncio.run(asked())
    assert healthy.status_code == 200
    assert (refused.status_code, refused.json()["message"]) == (413, serving.TOO_LONG)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def mlflow_server(folder: Path, tmp_path: Path, port: int) -> Iterator[str]:
    """`mlflow models serve` of a saved model, on a free port of this machine alone; gives its address."""
    with speaking_plainly():
        import mlflow.pyfunc

        from pipeline.tracking import served

        saved = {"python_model": served.__file__, "artifacts": {"graph": str(folder)}, "signature": served.SIGNATURE}
        mlflow.pyfunc.save_model(str(tmp_path / "model"), pip_requirements=["mlflow"], **saved)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(tmp_path / "model")]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, process_group=0)
    try:
        yield _address(process, port)
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the server that it started, too
        process.wait(30)


def _address(process: "subprocess.Popen[bytes]", port: int, seconds: float = 120.0) -> str:
    """Waits until a server answers."""
    address, until = f"http://127.0.0.1:{port}", time.monotonic() + seconds
    while True:
        try:
            httpx.get(f"{address}/health").raise_for_status()
        except httpx.HTTPError:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        else:
            return address


@pytest.mark.slow
def test_mlflows_own_server_answers_and_refuses(mlflow_server: str) -> None:
    def ask(**body: Any) -> httpx.Response:
        return httpx.post(f"{mlflow_server}/invocations", json=body, timeout=60)

    drawn = ask(inputs=[], params={"count": 16, "format": "png"})
    assert drawn.status_code == 200
    assert base64.b64decode(drawn.json()["predictions"]).startswith(b"\x89PNG")
    refused = ask(inputs=[[0.123] * 3])
    assert (refused.status_code, refused.json()["message"]) == (400, "latents: shape [1, 3]; takes [N, 784]")
