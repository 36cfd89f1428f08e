"""Serves the scheduler that hands jobs to workers."""

from typing import Annotated

import typer

from pipeline.engines import dask_serving as serving


def scheduler(
    listen: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = serving.DEFAULT,
) -> None:
    """Hand out experiments to workers, for `seeds train --spread dask`.

    It runs until Ctrl-C or SIGTERM. Whoever reaches it can run any code on its workers: off this machine it takes
    tls://HOST:PORT, with certificates that DASK_DISTRIBUTED__COMM__TLS__... name. See docs/scale.md.
    """
    serving.serve_scheduler(listen)
