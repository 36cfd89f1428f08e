"""Serves a clone to a scheduler."""

import os
from typing import Annotated

import typer

from pipeline.engines import dask_serving as serving


def worker(
    scheduler: Annotated[str, typer.Option(metavar="ADDRESS", help="Where the scheduler listens.")] = serving.DEFAULT,
    cores: Annotated[
        int | None, typer.Option(min=1, max=1024, help="How many to keep busy, instead of all that there are.")
    ] = None,
    patience: Annotated[
        float, typer.Option(min=1, max=86400, help="Seconds to wait for a scheduler that is not there.")
    ] = 600.0,
) -> None:
    """Do in this clone the jobs that a scheduler hands out.

    As many run at once as its cores take, each in a folder of its own, and end with this command, by Ctrl-C, SIGTERM or
    whatever kills it. Passwords and keys are those of this machine's environment, git and DVC. See docs/scale.md.
    """
    serving.serve_worker(scheduler, cores or len(os.sched_getaffinity(0)), patience)
