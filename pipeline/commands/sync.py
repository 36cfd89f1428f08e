"""Publishes to MLflow what the files say."""

import os
import select
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mnistgan.errors import DataError, FormatError, GitError, MnistganError, TrackingError, UsageError
from pipeline import console
from pipeline.dvcfiles import layout
from pipeline.runs import journal, keys
from pipeline.tracking import sources
from pipeline.tracking.sources import Sources

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

NICENESS = 10
POLL_SECONDS = 2.0
RETRY_SECONDS = 15.0
LOCK_SECONDS = 30.0
"""How long `sync` and the last publishing of a stage wait for another process that publishes to the same run."""


def sync(
    follow: Annotated[
        Literal["train", "evaluate", "render"] | None,
        typer.Option(help="Publish while this stage runs, until standard input ends; stages start this themselves."),
    ] = None,
    since: Annotated[float, typer.Option(hidden=True)] = 0.0,
    history: Annotated[
        bool, typer.Option("--all", help="Publish what every commit and DVC experiment here records, too.")
    ] = False,
) -> None:
    """Publish to MLflow what dvc.lock and the files record.

    Repeating it changes nothing. It gives a state that came out of DVC's cache its run, fills in what an outage kept
    away or a person deleted in MLflow, and closes runs whose process is gone. Each recipe of metrics/seeds.csv gets a
    parent run over the runs of its seeds. Of the registered generator's versions that are measured as the commit's
    figures are and pass gate.yaml's own rules, the one with the lowest FID has the alias `best`. MLFLOW_TRACKING_URI
    names another store than mlruns/mlflow.db.

    With --all, every state in git's history as well, branches, tags and experiments, whose files are in DVC's cache:
    a new store, or a team's, is filled with it. Those whose files are elsewhere are named.
    """
    root = layout.main_root()
    if follow:
        _Following(sources.while_running(follow, since), root).until_end_of_input()
        return
    from pipeline.tracking.store import Store

    store = Store(root)
    for said in store.close_abandoned():
        console.warn(said)
    _publish_state(store, root)
    if history:
        _publish_history(store, root)
    _publish_groups(store)


def _publish_state(store: "Store", root: Path) -> None:
    from pipeline.tracking import gathering
    from pipeline.tracking.lease import publishing

    try:
        recorded = sources.of_lock()
    except FormatError:
        raise
    except DataError as error:
        console.warn(f"nothing published: {error}")
        return
    for problem in recorded.problems:
        console.warn(f"left out: {problem}")
    now = recorded.state
    at_work = journal.is_making(root, now.train_key, now.run_key)  # its follower publishes until it ends
    with publishing(root, now.run_key, 0.0 if at_work else LOCK_SECONDS):
        done = store.publish(gathering.gather(recorded, root))
    for said in done.mended if done else ():
        console.warn(said)
    if done and done.blank:
        console.warn(f"left blank in the run, since no journal here tells: {', '.join(done.blank)}")
    console.summary(str(done or f"MLflow's run of {now.short} is finished; what is here adds nothing to it"))


def _publish_history(store: "Store", root: Path) -> None:
    """Publishes every other state that a commit or an experiment records, laid out in a folder for the while."""
    from pipeline.results import history

    published, away = 0, []
    for record in history.records():
        if record.in_workspace or not record.parts.keys() >= {*keys.MAKING}:
            continue
        named = str(record.commits[0])
        with tempfile.TemporaryDirectory(prefix="mnistgan-sync-") as folder:
            try:
                there = record.lay_out(Path(folder, "clone"))
                console.say(named)
                with layout.standing_in(there, root):
                    _publish_state(store, root)
                published += 1
            except (DataError, FormatError, GitError, UsageError) as error:
                away.append(f"{named}: {error}")
    for said in away:
        console.warn(f"left out: {said}")
    console.summary(f"{published} states of the history published, {len(away)} left out")


def _publish_groups(store: "Store") -> None:
    from pipeline.tracking import groups

    try:
        found = groups.of_file(layout.SEEDS)
    except DataError as error:
        console.warn(f"no group of seeds published: {error}")
        return
    for group in found:
        done = store.publish_group(group)
        if done.is_news:
            console.summary(str(done))


class _Following:
    """Publishes a running stage's files until the stage is gone."""

    def __init__(self, sources: Sources, root: Path) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):  # the stage decides what they mean; the pipe's end tells here
            signal.signal(number, signal.SIG_IGN)
        os.nice(NICENESS)
        self._sources = sources
        self._root = root
        self._held = ExitStack()
        self._store: Store | None = None

    def until_end_of_input(self) -> None:
        """Publishes whenever there is something new, and a last time; only that one's failure is raised.

        A file that is torn, or gone meanwhile, is like a store that is away: it may be whole the next time.
        """
        seen, not_before = None, 0.0
        with self._held:
            while not _input_ended():
                if time.monotonic() < not_before:
                    continue
                try:
                    wanted = self._sources.fingerprint()
                    if wanted != seen:
                        self._publish()
                        seen = wanted
                except (MnistganError, OSError) as error:
                    console.warn(f"{error}; tries again")
                    not_before = time.monotonic() + RETRY_SECONDS
            try:
                self._publish(LOCK_SECONDS)
            except TrackingError:  # once more, for an answer that got lost
                self._publish(LOCK_SECONDS)

    def _publish(self, wait_seconds: float = 0.0) -> None:
        """Publishes what is there; a store that failed is let go, since its answer may be what got lost."""
        from pipeline.tracking import gathering
        from pipeline.tracking.lease import publishing
        from pipeline.tracking.store import Store

        try:
            if self._store is None:
                self._held.enter_context(publishing(self._root, self._sources.state.run_key, wait_seconds))
                self._store = Store(self._root)
            done = self._store.publish(gathering.gather(self._sources, self._root))
        except TrackingError:
            self._store = None
            self._held.close()
            raise
        if done and done.is_news:
            console.summary(str(done))


def _input_ended() -> bool:
    """Waits a moment for the end of standard input; returns whether it came."""
    readable, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
    return bool(readable) and not os.read(sys.stdin.fileno(), 1024)
