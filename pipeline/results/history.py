"""Finds every state that the workspace, a commit or an experiment records in its dvc.lock, by git's plumbing."""

import hashlib
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from mnistgan.errors import DataError, FormatError, MnistganError
from pipeline.dvcfiles import cache, digests, dvc_lock, experiment_refs, git, layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.results import former
from pipeline.runs import keys, machine
from pipeline.runs.keys import State

_NO_RESULTS = (*experiment_refs.NO_RESULTS, "refs/stash", "refs/replace/*")
"""What DVC and git keep for themselves."""


@dataclass(frozen=True)
class Commit:
    """A commit whose dvc.lock differs from its parent's."""

    id: str
    date: str
    subject: str
    names: tuple[str, ...]  # branches and tags on it, and the experiment that it is

    def __str__(self) -> str:
        named = f" ({', '.join(self.names)})" if self.names else ""
        return f"{self.id[: keys.SHORT]} {self.date[:10]} {self.subject}{named}"


@dataclass(frozen=True)
class Recorded:
    """A state as one text of dvc.lock records it, wherever that text is."""

    blob: str
    parts: Mapping[str, Part]
    commits: Sequence[Commit]
    in_workspace: bool

    @cached_property
    def state(self) -> State | None:
        """Its state and keys; None where a part is missing, or the library versions are nowhere to be found."""
        versions = self.versions
        return State.of(self.parts, versions) if versions and {"train", "evaluate"} <= self.parts.keys() else None

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Library versions that it was trained on; none where they are not known."""
        train = self.parts.get("train")
        if train is None or "versions" not in train.options:
            return {}
        path = str(train.options["versions"])
        if content := self.read(path, train.outs.get(path, "")):
            return machine.parse_versions(content, path)
        places = [git.blob(commit.id, machine.REQUIREMENTS) for commit in self.commits]
        here = machine.REQUIREMENTS
        places += [here.read_bytes()] if here.is_file() else []
        told = (machine.versions_as_pinned(train, text.decode()) for text in places if text)
        return next((versions for versions in told if versions), {})

    @cached_property
    def processor(self) -> str | None:
        """The processor that the training ran on; None in a record from before that was written down."""
        return machine.facts(self.read_json("train", "machine")).get("processor")

    @cached_property
    def weights(self) -> str | None:
        """Sha256 of the generator: of the file, or as the pictures that git keeps say; None where neither is."""
        train = self.parts.get("train")
        named = former.options("train", train) if train else {}
        if train is None or "final" not in named:
            return None
        path = str(named["final"])
        if content := self.read(path, train.outs.get(path, "")):
            return hashlib.sha256(content).hexdigest()
        drawn = self.parts["render"].outs.items() if "render" in self.parts else ()
        pictures = (self.read(name, digest) for name, digest in drawn if name.endswith(".png"))
        told = (digest_of_weights(io.BytesIO(content)) for content in pictures if content)
        return next(filter(None, told), None)

    def read(self, path: str, digest: str) -> bytes | None:
        """Reads a recorded file's bytes, of the workspace, DVC's cache or a commit; None where none has them."""
        for place in (Path(path), cache.place(digest)):
            if digest and place.is_file() and digests.md5_of(place) == digest:
                return place.read_bytes()
        for commit in self.commits:
            content = git.blob(commit.id, Path(path))
            if content is not None and digests.md5(content) == digest:
                return content
        return None

    def read_json(self, stage: str, option: str) -> Any:
        """Reads the JSON out that an option of a stage names; an empty mapping where it is not to be had."""
        part = self.parts.get(stage)
        path = str(part.options[option]) if part and option in part.options else ""
        content = self.read(path, part.outs.get(path, "")) if part and path else None
        try:
            return json.loads(content) if content else {}
        except ValueError:
            return {}

    def card(self, name: str) -> Mapping[str, Any]:
        """Reads a ruler's card, of the record's own commit or, unchanged, the workspace; empty where neither has it."""
        evaluate = self.parts["evaluate"]
        folder = evaluate.rulers
        if folder is None:
            return {}
        same = folder.is_dir() and digests.md5_of(folder) == evaluate.deps.get(str(folder))
        path = folder / f"{name}.json"
        contents = [path.read_bytes()] if same and path.is_file() else []
        contents += [content for commit in self.commits[:1] if (content := git.blob(commit.id, path))]
        return dict(json.loads(contents[0])) if contents else {}

    def lay_out(self, folder: Path) -> Path:
        """Checks it out into a new folder, its outs from here or DVC's cache; returns the project's folder there.

        Raises DataError where what makes it a state, the outs of train and evaluate, is in neither; GitError.
        """
        there = git.check_out(self.commits[0].id, folder)
        for stage, part in self.parts.items():
            for path, digest in part.outs.items():
                if not (there / path).exists():
                    with suppress(*[] if stage in keys.MAKING else [DataError]):
                        cache.bring(path, digest, there / path)
        return there

    def files(self) -> list[tuple[str, str]]:
        """Lists every file of every out with its MD5, as far as DVC's cache lists a folder's."""
        outs = [item for part in self.parts.values() for item in part.outs.items()]
        return [found for path, digest in outs for found in cache.files_of(path, digest)]


def records() -> list[Recorded]:
    """Reads every text of dvc.lock: the workspace's first, then the history's, newest first. Torn ones are left out."""
    by_blob: dict[str, list[Commit]] = {}
    texts: dict[str, str] = {}
    commits = _commits()
    locks = git.blobs([f"{commit.id}:./{layout.LOCK}" for commit in commits])
    for commit, (blob, content) in zip(commits, locks, strict=True):
        if blob:
            by_blob.setdefault(blob, []).append(commit)
            texts[blob] = content.decode("utf-8", "replace")
    here, text = _of_workspace()
    if here:
        by_blob = {here: by_blob.get(here, []), **by_blob}
        texts[here] = text
    found = []
    for blob, places in by_blob.items():
        try:
            parts = dvc_lock.parts_of(texts[blob])
        except FormatError:
            continue
        found.append(Recorded(blob, parts, places, in_workspace=blob == here))
    return found


def blob_at(revision: str) -> str | None:
    """Finds the id of dvc.lock's text at a commit, branch or experiment; empty without, None if none such."""
    commit = git.find_commit(revision)
    return None if commit is None else git.blobs([f"{commit}:./{layout.LOCK}"])[0][0]


def outs_at(commit: str) -> Mapping[str, str]:
    """Reads the MD5 of every out that a commit's dvc.lock records, by path; none where it has no whole one."""
    content = git.blob(commit, layout.LOCK)
    try:
        parts = dvc_lock.parts_of(content.decode("utf-8", "replace")) if content else {}
    except FormatError:
        return {}
    return {path: digest for part in parts.values() for path, digest in part.outs.items()}


def _of_workspace() -> tuple[str, str]:
    """Reads the workspace's dvc.lock: its id, as git would have it, and its text; both empty where there is none."""
    try:
        text = dvc_lock.read()
    except MnistganError:
        return "", ""
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest(), text


def _commits() -> list[Commit]:
    excluded = [f"--exclude={pattern}" for pattern in _NO_RESULTS]
    told = git.line("log", *excluded, "--all", "--format=%H%x1f%cI%x1f%s", "--", str(layout.LOCK))
    names = _names()
    fields = (line.split("\x1f", 2) for line in told.splitlines())
    return [Commit(commit, date, subject, tuple(names.get(commit, ()))) for commit, date, subject in fields]


def _names() -> dict[str, list[str]]:
    lines = git.line("for-each-ref", "--format=%(objectname) %(*objectname) %(refname)").splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        commit, tagged, ref = line.split(" ", 2)
        if experiment := experiment_refs.name_of(ref):
            name = f"experiment {experiment}"
        elif ref.startswith(("refs/heads/", "refs/tags/", "refs/remotes/")):
            name = ref.split("/", 2)[2]
        else:
            continue
        found.setdefault(tagged or commit, []).append(name)
    return found


def digest_of_weights(picture: BinaryIO) -> str | None:
    """Reads the sha256 of the weights that a PNG or GIF says it was drawn by; None for any other file."""
    from PIL import Image

    from mnistgan.drawing.pictures.encoding import DIGEST_KEY

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its size: only its texts are read
            with Image.open(picture, formats=("PNG", "GIF")) as image:
                texts = dict(image.info)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    comment = texts.get("comment", b"")
    found = texts.get(DIGEST_KEY)
    if isinstance(comment, bytes) and comment.startswith(f"{DIGEST_KEY} ".encode()):
        found = comment.decode("ascii", "replace").split()[1]
    return found if isinstance(found, str) else None
