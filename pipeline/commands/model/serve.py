"""Answers requests for images over HTTP."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pipeline import console, origins
from pipeline.commands.ui import THIS_MACHINE, Host, listening_at, with_port
from pipeline.origins import Rev, Run, Weights
from pipeline.runtime import load_tensorflow
from pipeline.stage import Verbose


def serve(
    host: Host = THIS_MACHINE,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    weights: Weights = None,
    rev: Rev = None,
    run: Run = None,
    verbose: Verbose = False,
) -> None:
    """Serve a trained model over HTTP until Ctrl-C.

    Without --weights, --rev or --run it serves the best registered version of the workspace's data set and family,
    where MLflow's store has one, else models/final.npz or the published weights. It takes what `mlflow models serve`
    takes, at /invocations; docs/serving.md shows it.
    """
    listening_at(host, port)
    with tempfile.TemporaryDirectory(prefix="mnistgan-") as name:
        graph, served = (None if weights or rev or run else _best(Path(name))) or _exported(
            weights, rev, run, Path(name) / "graph", verbose
        )
        import uvicorn

        from pipeline.tracking import serving

        answering = serving.app(serving.load(graph))
        console.summary(f"serving {served} at http://{with_port(host, port)}/invocations (Ctrl-C ends it)")
        uvicorn.run(answering, host=host, port=port, log_level="warning")


def _best(folder: Path) -> tuple[Path, str] | None:
    from pipeline.runs import keys
    from pipeline.tracking import registry, serving

    return serving.best(registry.model_name(keys.params_of_workspace()), folder)


def _exported(weights: Path | None, rev: str | None, run: str | None, graph: Path, verbose: bool) -> tuple[Path, str]:
    """Writes the graph of weights in a file. Raises UsageError where there are none, with how to get some."""
    origins.check(weights, rev, run)
    load_tensorflow(verbose)
    from mnistgan import exporting

    with origins.opened(weights, rev, run) as origin:
        exporting.write(exporting.Format.SAVED_MODEL, origin.path, origin.dataset.counts, graph, origin.facts())
        return graph, str(origin)
