"""Opens MLflow's own pages on the store that the pipeline publishes to."""

import errno
import glob
import os
import socket
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Annotated

import typer

from mnistgan.errors import UsageError
from pipeline import console
from pipeline.dvcfiles import layout
from pipeline.runs.journal import without_secrets

THIS_MACHINE = "127.0.0.1"
_MENDS = {
    errno.EADDRINUSE: "give another --port",
    errno.EACCES: "give a --port above 1023",
    errno.EADDRNOTAVAIL: "give an address of this machine as --host",
}
_REFUSALS = (errno.EADDRINUSE, errno.EACCES, errno.EPERM)

Host = Annotated[str, typer.Option(help="Address to listen on; the default is seen by this machine alone.")]


def ui(
    host: Host = THIS_MACHINE,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 5000,
    allowed_hosts: Annotated[
        str | None,
        typer.Option(
            envvar="MLFLOW_SERVER_ALLOWED_HOSTS",
            help="Names that browsers may ask for, with commas, where --host is not local; without a port, at any.",
        ),
    ] = None,
) -> None:
    """Serve MLflow's pages on the pipeline's store until Ctrl-C.

    It works before any run too.
    """
    from pipeline.tracking import address
    from pipeline.tracking.connection import connect, page

    root = layout.main_root()
    store_address = address.uri(root)
    if address.is_server(store_address):
        console.summary(f"MLflow's pages are where MLFLOW_TRACKING_URI points: {without_secrets(store_address)}")
        return
    names = _names(host, listening_at(host, port), allowed_hosts)
    experiment = connect(root).experiment
    plain = (name for name in (name.removesuffix(":*") for name in names or [host]) if "*" not in name)
    server = with_port(next(plain, socket.gethostname()), port)
    console.summary(f"MLflow: {page(f'http://{server}', experiment)} (Ctrl-C ends it)")
    os.environ["MLFLOW_BACKEND_STORE_URI"] = store_address  # not a word of the command, which everyone's `ps` shows
    command = ["mlflow", "ui", "--host", host, "--port", str(port), "--workers", "1"]
    if names:
        console.say(f"Browsers may ask for {', '.join(names)}; any other name gets a 403 until --allowed-hosts has it")
        patterns = [pattern for name in names for pattern in _patterns(name)]
        command += ["--allowed-hosts", ",".join(patterns)]
        # Without it MLflow refuses what its own pages send, where they are not asked for as localhost.
        origins = ",".join(f"{scheme}://{pattern}" for pattern in patterns for scheme in ("http", "https"))
        os.environ.setdefault("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", origins)
    os.chdir(root)
    # It schedules no jobs here, and its job runners would outlive it.
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    os.execv(sys.executable, [sys.executable, "-m", *command])  # noqa: S606 - becomes MLflow, so that Ctrl-C reaches it


def listening_at(host: str, port: int) -> str:
    """Resolves a host's name to an address. Raises UsageError where this machine can't listen there.

    Of a name's several addresses, one that this machine lacks, as that of IPv6 where that is off, is passed over.
    """
    if not host.strip():
        raise UsageError(f"--host {host!r}: would listen on every address; say 0.0.0.0 for that")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--host {host}: no such host; give an address of this machine, such as 127.0.0.1") from error
    here: list[str] = []
    lacking: list[OSError] = []
    for family, kind, protocol, _, place in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
        except OSError as error:
            if error.errno in _REFUSALS:
                raise _refusal(host, port, error) from error
            lacking.append(error)
        else:
            here.append(str(place[0]))
    if not here:
        raise _refusal(host, port, lacking[0]) from lacking[0]
    return here[0]


def _refusal(host: str, port: int, error: OSError) -> UsageError:
    mend = _MENDS.get(error.errno or 0, "give another --host")
    return UsageError(f"{with_port(host, port)} can't be listened on: {error.strerror or error}; {mend}")


def _names(host: str, listening: str, allowed_hosts: str | None) -> Sequence[str]:
    """Lists the names by which browsers may ask; none where MLflow's own, this machine's to itself, are enough."""
    place = ip_address(listening.partition("%")[0])
    if allowed_hosts:
        return [name.strip() for name in allowed_hosts.split(",") if name.strip()]
    if place.is_loopback:
        return []
    if not place.is_unspecified:
        return [host]
    return list(dict.fromkeys([_reached_at(), socket.gethostname(), "localhost", THIS_MACHINE]))


def _reached_at() -> str:
    """Finds the address by which other machines reach this one; its name where it has none that leads out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; the system chooses the address that it would send from
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


def _patterns(name: str) -> list[str]:
    """Turns a name into the patterns that MLflow takes: it compares the port too."""
    exact = _bracketed(name)
    if name.endswith("*") or _has_port(name):
        return [exact]
    return [exact, f"{exact if '*' in exact else glob.escape(exact)}:*"]


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdecimal() and (name.count(":") == 1 or "]:" in name)


def _bracketed(name: str) -> str:
    """Writes a name as in a URL: IPv6 addresses have colons of their own."""
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


def with_port(name: str, port: int) -> str:
    return name if _has_port(name) else f"{_bracketed(name)}:{port}"
