"""Open MLflow's own pages on the store that the pipeline publishes to."""

import os
import socket
import sys
from typing import Annotated

import typer

from mnistgan.errors import UsageError
from pipeline import console, state
from pipeline.publishing import pages


def ui(
    host: Annotated[str, typer.Option(help="Address to listen on; the default is seen by this machine alone.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5000,
    allowed_hosts: Annotated[
        str | None,
        typer.Option(help="Host names that browsers may ask for, with commas, where --host is not local."),
    ] = None,
) -> None:
    """Serve MLflow's pages on the pipeline's store until Ctrl-C; works before any run too."""
    from pipeline.publishing import tracking

    root = state.main_root()
    address = tracking.uri(root)
    if tracking.is_server(address):
        console.summary(f"MLflow's pages are where MLFLOW_TRACKING_URI points: {tracking.shown(address)}")
        return
    _check_free(host, port)
    store = tracking.Store(root)
    console.summary(f"MLflow: {pages.address(f'http://{host}:{port}', store.experiment)} (Ctrl-C ends it)")
    os.environ["MLFLOW_BACKEND_STORE_URI"] = address  # not a word of the command, which everyone's `ps` shows
    command = ["mlflow", "ui", "--host", host, "--port", str(port), "--workers", "1"]
    if allowed_hosts:
        command += ["--allowed-hosts", allowed_hosts]
    os.chdir(root)
    # It schedules no jobs here, and its job runners would outlive it.
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    os.execv(sys.executable, [sys.executable, "-m", *command])  # noqa: S606 - becomes MLflow, so that Ctrl-C reaches it


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(f"{host}:{port} can't be listened on: {error.strerror}; give another --port") from error
