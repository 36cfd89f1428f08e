"""Serves Dask's scheduler and its workers, which each have a clone of their own, and says who may reach them.

What goes over the wire is the name of a function here, and of each job its name, commit and overrides. Passwords and
keys are in each worker's own environment and settings. Whoever reaches a scheduler can run any code on its workers: so
off this machine nothing listens or connects without TLS and a certificate at both ends, which Dask's own settings name.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mnistgan.errors import Interrupted, TrainingError, UnfitError, UsageError
from pipeline import console
from pipeline.engines import processes, working
from pipeline.engines.dvc_queue import lines_backwards
from pipeline.runs import journal

if TYPE_CHECKING:
    from distributed import Security

DEFAULT = "tcp://127.0.0.1:8786"
POLL_SECONDS = 0.5
LINE_CHARACTERS = 300
SETTINGS = {
    "distributed": {
        "comm": {"timeouts": {"tcp": "3 minutes"}},  # a network that is cut for a minute is not lost
        "worker": {"profile": {"enabled": False}},
    }
}

_at_work: set[Any] = set()  # keys of the jobs that this worker runs
_unfit: list[str] = []  # why this worker can do no more


def security(address: str, role: str) -> "Security":
    """Reads Dask's TLS settings for a scheduler, worker or client. Raises UsageError where they lack."""
    from distributed import Security

    given = urlsplit(address)
    if given.scheme not in ("tcp", "tls") or not given.hostname or not given.port:
        raise UsageError(f"{address!r}: takes tcp://127.0.0.1:PORT, or tls://HOST:PORT")
    found = Security(require_encryption=given.scheme == "tls")
    if given.scheme == "tls":
        named = {"CA_FILE": "tls_ca_file", **{f"{role}__{of}".upper(): f"tls_{role}_{of}" for of in ("cert", "key")}}
        if missing := [name for name, field in named.items() if not Path(getattr(found, field) or "").is_file()]:
            told = ", ".join(f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in missing)
            raise UsageError(f"{address}: TLS takes certificates; {told} should name the files")
    elif not _is_loopback(given.hostname):
        raise UsageError(
            f"{address}: whoever reaches a scheduler or worker can run any code there, so off this machine it takes "
            "tls://, with a certificate at both ends; docs/scale.md says how to make them"
        )
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve_scheduler(address: str) -> None:
    """Hands out jobs until it is asked to end. Raises UsageError where it can't listen there."""
    settle()
    from distributed import Scheduler

    secured, given = security(address, "scheduler"), urlsplit(address)

    async def serve() -> None:
        # Its pages, which know no certificate, are for this machine alone.
        pages = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
        try:
            scheduler = await Scheduler(
                protocol=given.scheme, host=given.hostname, port=given.port, security=secured, **pages
            )
        except (OSError, RuntimeError) as error:  # Dask's own says no more than that
            raise UsageError(f"{address}: can't listen there: {error.__cause__ or error}") from error
        console.summary(f"scheduler at {scheduler.address}")
        _close_when_asked(scheduler.close)
        await scheduler.finished()

    asyncio.run(serve())


def serve_worker(address: str, cores: int, patience: float) -> None:
    """Does jobs in the current folder's clone until it is asked to end. With its scheduler it loses its jobs, too.

    Raises UnfitError where this machine can do none, TrainingError where no scheduler answers for ``patience`` seconds.
    """
    settle()
    from distributed import Worker

    secured, asked = security(address, "worker"), asyncio.Event()
    local = {"host": "127.0.0.1"} if _is_loopback(urlsplit(address).hostname or "") else {}
    limits = {"nthreads": cores, "resources": {"cores": cores}, "memory_limit": 0, "death_timeout": patience}

    async def serve(folder: str) -> None:
        while not asked.is_set() and not _unfit:
            worker = Worker(address, security=secured, local_directory=folder, dashboard=False, **limits, **local)
            _close_when_asked(worker.close, asked)
            try:
                await worker
            except (OSError, RuntimeError) as error:
                if asked.is_set():
                    return
                raise TrainingError(f"no scheduler answers at {address} within {patience:g} s") from error
            console.summary(f"worker {worker.address} of {address}: {cores} cores, in {Path().resolve()}")
            await worker.finished()
            if not asked.is_set() and not _unfit:
                console.say(f"let go by {address}; tries to come back")

    with tempfile.TemporaryDirectory(prefix="mnistgan-dask-") as folder:
        asyncio.run(serve(folder))
    if _unfit:
        raise UnfitError(_unfit[0])


def settle() -> None:
    """Sets what a person's configuration of Dask does not. Raises UsageError where Dask is missing."""
    import logging

    try:
        import dask
        import distributed  # noqa: F401 - whose own defaults come first
    except ModuleNotFoundError as error:
        install = "python -m pip install --no-deps --require-hashes -r requirements-spread.lock"
        raise UsageError(f"{error}; `{install}` brings it") from error
    dask.config.update_defaults(SETTINGS)
    logging.getLogger("distributed").setLevel(logging.ERROR)  # what ends is said here


def _close_when_asked(close: Callable[[], Any], asked: asyncio.Event | None = None) -> None:
    """Closes a server on Ctrl-C and SIGTERM, unless who started it had them ignored."""
    loop, closing = asyncio.get_running_loop(), set()

    def end() -> None:
        if asked:
            asked.set()
        closing.add(loop.create_task(close()))

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)


def run(name: str, commit: str, overrides: Sequence[str]) -> tuple[int, str, str]:
    """Has `jobs run` do a job, on a worker; returns its exit code, the last line that it printed, and where.

    It ends with this worker, whatever ends that, and when nobody waits for it any more.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    log = log_of(name)
    words = ["jobs", "run", "--while-stdin", "--commit", commit, "--name", name]
    words += [word for each in overrides for word in ("-S", each)]
    _at_work.add(key)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - this interpreter, a list of words, no shell
                [sys.executable, "-m", "pipeline", *words],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        code = _wait(process, lambda: _is_wanted(worker, key))
        said = journal.without_secrets(next(lines_backwards(log), ""))[:LINE_CHARACTERS]
    except OSError as error:
        code, said = UnfitError.exit_code, f"{error.filename}: {error.strerror}"
    finally:
        _at_work.discard(key)
    if not Path("dvc.yaml").is_file():
        code, said = UnfitError.exit_code, "its clone is gone"
    if code == UnfitError.exit_code:
        _unfit.append(said)
    return code, said, str(worker.address)


def _wait(process: "subprocess.Popen[bytes]", is_wanted: Callable[[], bool]) -> int:
    """Waits for `jobs run` to end, and has it end where it is no longer wanted; leaves nothing of what it started."""
    assert process.stdin is not None
    try:
        while is_wanted():
            with suppress(subprocess.TimeoutExpired):
                return process.wait(POLL_SECONDS)
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(working.ENDING_SECONDS + 5)
        return Interrupted.exit_code
    finally:
        processes.end(process.pid, os.getsid, 0.0)
        process.wait()


def _is_wanted(worker: Any, key: Any) -> bool:
    """Whether a scheduler still waits for a task: not once it was cancelled, or the worker is closing."""
    task = worker.state.tasks.get(key)
    return task is not None and task.state == "executing" and worker.status.name in ("running", "paused")


def count_at_work() -> int:
    """Number of jobs that this worker runs."""
    return len(_at_work)


def log_of(name: str) -> Path:
    return working.FOLDER / f"{name}.log"
