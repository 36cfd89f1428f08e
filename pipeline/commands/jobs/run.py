"""Does one job in this clone, as an engine, a batch system or CI has it done."""

import hashlib
import os
import re
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from mnistgan.errors import UsageError
from pipeline import console, places
from pipeline.dvcfiles import git
from pipeline.engines import working
from pipeline.engines.jobs import Job
from pipeline.places import Out

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", "-S", metavar="KEY=VALUE", help="Another value of a param, as `dvc exp run -S`; repeatable."),
]


def run(
    commit: Annotated[str, typer.Option(help="What to run: a commit of this clone or of its remote.")],
    set_: Overrides = None,
    name: Annotated[str | None, typer.Option(help="Name of the experiment, instead of one by what is run.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder to leave what git keeps of it in; then nothing is pushed.")
    ] = None,
    while_stdin: Annotated[
        bool, typer.Option("--while-stdin", hidden=True, help="End with standard input: who started this is gone.")
    ] = False,
) -> None:
    """Train one commit with other params, and push what it made.

    The commit is fetched into a folder of its own below .dvc/tmp/jobs, run there as a DVC experiment in the environment
    that its requirements.lock names, and pushed: files to DVC's remote, then the experiment to git's. What either has
    already is not made again. Stages publish to the server that MLFLOW_TRACKING_URI names, if any. Killed, the same
    command on this machine goes on with the training. Exit code 75: this machine can't do it, another may; nothing is
    wrong with the job. See docs/scale.md.
    """
    if out:
        places.demand({"out": (out, Out("", folder=True))})
    if while_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    found = git.find_commit(commit) or (commit if re.fullmatch("[0-9a-f]{40}", commit) else None)
    if found is None:
        raise UsageError(f"{commit!r} is no commit, branch or tag here; {git.how_to_fetch()}")
    overrides = tuple(set_ or ())
    named = name or f"job-{hashlib.sha256(repr((found, overrides)).encode()).hexdigest()[:7]}"
    console.summary(working.work(Job(named, found, overrides), out))


def _end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
