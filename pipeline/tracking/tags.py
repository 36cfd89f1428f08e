"""Builds a run's tags from what dvc.lock, the outs and the journals say."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.errors import GitError, MnistganError
from pipeline.dvcfiles import digests, git
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.results import checkout, former, pins
from pipeline.runs import journal, machine
from pipeline.runs.journal import Event, Kind
from pipeline.runs.keys import State
from pipeline.tracking.publication import MACHINE_TAGS, RECIPE_DIGEST, USER, VERSION_TAG


def of(
    root: Path, now: State, parts: Mapping[str, Part], training: Sequence[Event], is_trained: bool
) -> dict[str, str]:
    """Makes the tags of a state's run; ``training``: what its training journalled."""
    told = {
        **_key_tags(now),
        **_group_tags(parts),
        **_journal_tags(training),
        **_outside_params(parts),
        **_source_tags(root, parts),
        **_author_tags(root),
    }
    if is_trained:
        told = _processor_tags(parts["train"]) | told | _weight_tags(parts["train"])
    return told


def summary(parts: Mapping[str, Part]) -> str | None:
    """Reads what prepare wrote of the data; None where it is not here as recorded."""
    if "prepare" not in parts:
        return None
    path = parts["prepare"].options["summary"]
    is_there = path.exists() and digests.md5_of(path) == parts["prepare"].outs.get(str(path))
    return path.read_text("utf-8") if is_there else None


def machine_tags(start: Mapping[str, Any]) -> dict[str, str]:
    """Says where a stage ran, as its journal's first line tells it."""
    return {tag: str(start[fact]) for tag, fact in MACHINE_TAGS.items() if fact in start}


def _key_tags(now: State) -> dict[str, str]:
    return {
        "mnistgan.train_key": now.train_key,
        "mnistgan.run_key": now.run_key,
        "mnistgan.data_digest": now.data_digest,
    }


def _group_tags(parts: Mapping[str, Part]) -> dict[str, str]:
    """Names the group of seeds that this is one of; nothing where the data or the rulers are not known."""
    if "prepare" not in parts or "rulers" not in parts["evaluate"].options:
        return {}
    try:
        digest = checkout.recipe_digest(parts, pins.pins_to_write(parts))
    except MnistganError:
        return {}
    return {RECIPE_DIGEST: digest} if digest else {}


def _weight_tags(train: Part) -> dict[str, str]:
    from mnistgan.files import read_json, sha256

    versions = read_json(train.options["versions"])
    return {"mnistgan.weights": sha256(former.options("train", train)["final"]), **_version_tags(versions)}


def _processor_tags(train: Part) -> dict[str, str]:
    """Names the processor that the training ran on, as its outs say; nothing where they are from before they did."""
    from mnistgan.files import read_json

    path = train.options.get("machine")
    processor = machine.processor(read_json(path)) if path and path.exists() else None
    return {"mnistgan.cpu": processor} if processor else {}


def _version_tags(versions: Mapping[str, str]) -> dict[str, str]:
    return {f"{VERSION_TAG}{library}": version for library, version in versions.items()}


def _journal_tags(training: Sequence[Event]) -> dict[str, str]:
    """Collects what only the journal of the training knows; nothing where it is gone."""
    start = next((event.facts for event in reversed(training) if event.kind is Kind.START), None)
    if start is None:
        return {}
    known = {
        "mlflow.source.git.commit": start.get("commit"),
        "mlflow.source.name": "python -m pipeline train",
        "mlflow.source.type": "LOCAL",
        "mnistgan.dirty": start.get("dirty"),
        "mnistgan.experiment": start.get("experiment"),
    }
    tags = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in known.items()
        if value is not None
    }
    return tags | machine_tags(start) | _version_tags(start.get("versions", {}))


def _source_tags(root: Path, parts: Mapping[str, Part]) -> dict[str, str]:
    """Says where the data came from; nothing where no journal tells of these very splits."""
    text = summary(parts)
    if text is None:
        return {}
    splits = {name: described.get("sha256") for name, described in json.loads(text).get("splits", {}).items()}
    told = journal.data_source(root, splits)
    return {"mnistgan.data_source": told} if told else {}


def _author_tags(root: Path) -> dict[str, str]:
    """Names the author, as git knows them here; nothing where it doesn't."""
    with suppress(GitError):
        if known := git.ask("config", "user.name", folder=root):
            return {USER: known.decode("utf-8", "replace").strip()}
    return {}


def _outside_params(parts: Mapping[str, Part]) -> dict[str, str]:
    """Collects params that decide no result; tags, since MLflow never lets a param change."""
    sections = parts["render"].params.values() if "render" in parts else ()
    named = [item for section in sections for item in reading.flatten(section.get("render", {}), "render")]
    return {name: str(value) for name, value in named}
