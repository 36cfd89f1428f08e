"""Serves one model over HTTP as `mlflow models serve` does, with the same requests and answers.

MLflow's own server repeats a request that it can't read in its message, and passes over params that it doesn't know.
Here every refusal is one sentence that holds none of what was sent.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistgan.errors import UsageError
from pipeline.dvcfiles import layout
from pipeline.runtime import load_tensorflow
from pipeline.tracking.address import is_yet_to_be_made
from pipeline.tracking.connection import connect
from pipeline.tracking.failures import speaking_plainly
from pipeline.tracking.registry import CODE, aliased

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from pipeline.tracking.served import Generator

TYPES = "count and seed should be whole numbers, classes a list of them, format a word"
MOST_BYTES = 256 * 1024**2
"""Of a request: its most latents, of the family with the longest."""
TOO_LONG = f"the request is longer than {MOST_BYTES} bytes; send fewer latents at a time"
TAKES = '{"inputs": latents or [], "params": {"count": 16, "seed": 0, "classes": [7], "format": "png"}}'


def best(name: str, folder: Path) -> tuple[Path, str] | None:
    """Downloads the graph of a registered model's best version; None where there is no such version, or no store yet.

    Returns the version's name too. Raises TrackingError where the store can't be reached, UsageError where the version
    is of before models could be asked.
    """
    root = layout.main_root()
    if is_yet_to_be_made(root):
        return None
    at = connect(root)
    with speaking_plainly():
        import mlflow

        version = aliased(at, name)
        if version is None:
            return None
        model = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version.version}", dst_path=str(folder)))
    if not (model / CODE).is_file():
        raise UsageError(
            f"{name}, version {version.version}: was registered before models could be asked for images; "
            "`python -m pipeline sync` gives the present state's the new form, or serve a file: --weights"
        )
    return model / "artifacts" / "graph", f"{name}, version {version.version}"


def load(graph: Path) -> "Generator":
    """Loads what answers, from a SavedModel as `model export` writes it."""
    load_tensorflow(verbose=False)
    with speaking_plainly():
        from pipeline.tracking.served import Generator
    return Generator().load(graph)


def app(generator: "Generator") -> "FastAPI":
    """Makes the server: /invocations answers, /ping and /health say that it is there."""
    from fastapi import FastAPI, Request, Response
    from fastapi.concurrency import run_in_threadpool

    made = FastAPI(title="mnistgan", docs_url=None, redoc_url=None, openapi_url=None)

    def health() -> Response:
        return Response("\n", media_type="application/json")

    async def invocations(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            status, content = _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LONG)
        else:
            status, content = await run_in_threadpool(answer, generator, body)
        return Response(content, status, media_type="application/json")

    for path in ("/ping", "/health"):
        made.add_api_route(path, health)
    made.add_api_route("/invocations", invocations, methods=["POST"])
    return made


async def _body(request: "Request") -> bytes | None:
    """Reads a request's body; None where it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)


def answer(generator: "Generator", body: bytes) -> tuple[int, str]:
    """Answers a request's JSON: the status, and what is sent, as MLflow words it."""
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model
    from mlflow.pyfunc import PyFuncModel

    from pipeline.tracking.served import SIGNATURE, Refused

    try:
        given, params = _parsed(body, {param.name for param in SIGNATURE.params})
        drawn = PyFuncModel(Model(signature=SIGNATURE), _Asked(generator)).predict(given, params)
    except Refused as refused:
        return _refusal(HTTPStatus.BAD_REQUEST, refused.message)
    except MlflowException:  # of params, whose values it repeats
        return _refusal(HTTPStatus.BAD_REQUEST, f"params: {TYPES}")
    return HTTPStatus.OK, json.dumps({"predictions": drawn})


@dataclass(frozen=True)
class _Asked:
    """A generator as MLflow calls a model."""

    generator: "Generator"

    def predict(self, data: Any, params: dict[str, Any]) -> Any:
        drawn = self.generator.predict(None, data, params)
        return drawn if isinstance(drawn, str) else drawn.tolist()


def _parsed(body: bytes, known: set[str]) -> tuple[Any, dict[str, Any]]:
    """Reads input and params. Raises Refused where the request is none."""
    from pipeline.tracking.served import Refused

    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(f"the request is no JSON; takes {TAKES}") from None
    if not isinstance(asked, dict) or "inputs" not in asked or asked.keys() - {"inputs", "params"}:
        raise Refused(f"the request should hold inputs, and may hold params; takes {TAKES}")
    params = asked.get("params") or {}
    if not isinstance(params, dict) or params.keys() - known:
        raise Refused(f"params: takes {', '.join(sorted(known))}, and no other")
    return asked["inputs"], params


def _refusal(status: int, sentence: str) -> tuple[int, str]:
    code = "INVALID_PARAMETER_VALUE" if status == HTTPStatus.BAD_REQUEST else HTTPStatus(status).name
    return status, json.dumps({"error_code": code, "message": sentence})
