"""Keeps the list of a run's files that arrived whole: ``published.json`` in the run, with the sha256 of each."""

import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.files import sha256
from pipeline.tracking import images
from pipeline.tracking.holdings import Holdings
from pipeline.tracking.publication import Publication

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MANIFEST = "published.json"


def read(client: "MlflowClient", run_id: str) -> dict[str, str]:
    """Reads what arrived whole, by name; a list that was cut off counts as none, and all is written over."""
    if not any(file.path == MANIFEST for file in client.list_artifacts(run_id)):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        text = Path(client.download_artifacts(run_id, MANIFEST, folder)).read_bytes()
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}


def write(client: "MlflowClient", run_id: str, manifest: Mapping[str, str]) -> None:
    """Puts the list into the run."""
    client.log_text(run_id, json.dumps(dict(sorted(manifest.items())), indent=2), MANIFEST)


def take_out_gone(client: "MlflowClient", run: "Run", content: Publication, manifest: dict[str, str]) -> list[str]:
    """Takes out of a run's list what is to be added again, since the store has it no more or not whole."""
    held = Holdings.of(partial(client.list_artifacts, run.info.run_id), run.info.artifact_uri)
    stems = images.stems(held.sizes)
    files = {
        name: held.has(name, manifest[name], content.artifacts[name]) for name in content.artifacts if name in manifest
    }
    pictures = {
        images.name_of(step): images.is_whole(held, stems.get(step), file)
        for step, file in content.grids.items()
        if manifest.get(images.name_of(step)) == sha256(file)
    }
    gone = [name for name, is_there in (files | pictures).items() if not is_there]
    for name in gone:
        del manifest[name]
    return gone
