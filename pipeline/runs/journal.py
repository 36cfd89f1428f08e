"""Keeps a journal of what happened while a state was made (when, where, by which commit): one JSON line an event.

Kept beside the outs in ``journal/<key>.jsonl`` (train's under the train key, the later stages' under the run key),
ignored by git and by DVC. A writer holds a shared lock on its file for as long as it lives, so a reader can tell a
stage at work from one that was killed.
"""

import fcntl
import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import mnistgan
from mnistgan.errors import GitError, Interrupted
from pipeline import console, runtime
from pipeline.dvcfiles import git, layout
from pipeline.runs import keys, machine

_USERINFO = re.compile(r"(?<=://)[^\s/]+@")
_PASSWORDS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
FOLDER = "journal"
PREPARE = "prepare"  # name of prepare's journal: it runs before there is any key


class Kind(StrEnum):
    START = "start"
    PROGRESS = "progress"
    END = "end"


class Outcome(StrEnum):
    """How a stage ended."""

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Event:
    """One line of a journal; ``time`` in ISO 8601, UTC."""

    kind: Kind
    stage: str
    time: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


class Journal:
    """An open journal, appended to and flushed to disk line by line."""

    def __init__(self, path: Path, stage: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stage = stage
        self._file = path.open("ab+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH)
            if self._file.tell() and not _ends_with_newline(path):
                self._file.write(b"\n")  # the last writer was killed within a line
        except BaseException:
            self._file.close()
            raise

    def write(self, kind: Kind, **facts: Any) -> None:
        """Appends one event. A full disk is warned about, not raised: a journal is not worth a training."""
        line = {"event": kind, "stage": self._stage, "time": datetime.now(UTC).isoformat(), **facts}
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            console.warn(f"{self._file.name}: can't be written: {error.strerror}")

    def close(self) -> None:
        """Closes the file and so gives up the lock that shows this process to be at work."""
        self._file.close()


_open: list[Journal] = []


@contextmanager
def recording(path: Path, stage: str) -> Iterator[None]:
    """Records a stage's start, its notes, and how it ends, whatever ends it."""
    try:
        journal = Journal(path, stage)
    except OSError as error:
        console.warn(f"{path}: can't be written, so this run goes unrecorded: {error.strerror}")
        yield
        return
    _open.append(journal)
    try:
        journal.write(Kind.START, **_surroundings())
        yield
    except BaseException as error:
        was_asked = isinstance(error, KeyboardInterrupt | Interrupted)
        outcome = Outcome.INTERRUPTED if was_asked else Outcome.FAILED
        journal.write(Kind.END, outcome=outcome, reason=without_secrets(str(error)))
        raise
    else:
        journal.write(Kind.END, outcome=Outcome.DONE)
    finally:
        _open.remove(journal)
        journal.close()


def note(**facts: Any) -> None:
    """Records facts that no out may hold, for instance ``images_per_second=447.0``; outside a stage, nothing."""
    for journal in _open:
        journal.write(Kind.PROGRESS, **facts)


def path_of(root: Path, key: str) -> Path:
    """Path of a key's journal."""
    return root / FOLDER / f"{key}.jsonl"


def read(path: Path) -> list[Event]:
    """Reads the events of a journal, oldest first; none where it is missing. A line torn by a kill is skipped."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [event for event in map(_parse, lines) if event]


def making_events(root: Path, train_key: str, run_key: str) -> list[Event]:
    """Reads what train and evaluate journalled under these keys, oldest first."""
    events = [*read(path_of(root, train_key)), *read(path_of(root, run_key))]
    return sorted((event for event in events if event.stage in keys.MAKING), key=lambda event: event.time)


def data_source(root: Path, splits: Mapping[str, Any]) -> str | None:
    """Finds the source of these splits (by their digests) in prepare's journal; None where it names none."""
    events = read(path_of(root, PREPARE))
    told = [event.facts["data_source"] for event in events if splits and event.facts.get("splits") == splits]
    return str(told[-1]) if told else None


def is_live(path: Path) -> bool:
    """Whether a process on this machine is writing the journal now.

    One looks at a time: a look is a lock for a moment, which another's would take for a writer's.
    """
    if not path.exists():
        return False
    with _turn_to_look(path.parent), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False  # a file system without locks
    return False


def is_making(root: Path, train_key: str, run_key: str) -> bool:
    """Whether a process on this machine is training or measuring under these keys now."""
    return any(is_live(path_of(root, key)) for key in (train_key, run_key))


def outcome(events: Sequence[Event]) -> Outcome | None:
    """Outcome of the last stage in ``events``; None where its process was gone before it could say."""
    last = events[-1] if events else None
    return Outcome(last.facts["outcome"]) if last and last.kind is Kind.END else None


def last_fact(events: Sequence[Event], name: str) -> Any:
    """Newest value of a fact in events; None where none has one."""
    return next((event.facts[name] for event in reversed(events) if name in event.facts), None)


def without_secrets(text: str) -> str:
    """Strikes out of ``text`` the user and password of any URL in it, and any password known from the environment."""
    for secret in known_secrets():
        text = text.replace(secret, "***")
    return _USERINFO.sub("***@", text)


def known_secrets() -> list[str]:
    """Lists the tracking store's passwords and tokens that the environment tells, as they may be written."""
    place = os.environ.get("MLFLOW_TRACKING_URI", "").partition("://")[2]
    userinfo = "" if place.startswith("/") else place.rpartition("@")[0]  # a path may hold an @ of its own
    password = userinfo.partition(":")[2]
    told = [userinfo, password, unquote(password), *(os.environ.get(name) for name in _PASSWORDS)]
    return [secret for secret in told if secret]


@contextmanager
def _turn_to_look(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _surroundings() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "clone": machine.clone(layout.main_root()),
        "pid": os.getpid(),
        "versions": runtime.installed_versions(),
        "cpu": runtime.cpu_model(),
        **_commit(),
        "argv": [without_secrets(word) for word in sys.argv],
        "code": str(Path(mnistgan.__file__).parent),
        "experiment": os.environ.get("DVC_EXP_NAME"),
    }


def _commit() -> dict[str, Any]:
    try:
        return {"commit": git.commit("HEAD"), "dirty": git.is_dirty()}
    except GitError as error:
        console.warn(f"by which commit this runs goes unrecorded: {error}")
        return {"commit": None, "dirty": None}


def _parse(line: bytes) -> Event | None:
    try:
        facts = json.loads(line)
        kind, stage, time = (facts.pop(name) for name in ("event", "stage", "time"))
        return Event(Kind(kind), stage, datetime.fromisoformat(time), facts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
