"""Starts what a team's machines share, on loopback: PostgreSQL, an object store and MLflow's server on both; stops it.

For trying and for tests: all of it lies in one folder, which `stop` removes; docs/team.md says what a team does. The
object store is moto's, which keeps nothing on disk. PostgreSQL refuses root, and is `nobody` then. `stop` ends the
processes that `start` recorded, and no other.
"""

import argparse
import getpass
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

HOST = "127.0.0.1"
BUCKET = "mnistgan"
RECORD = "processes.json"
STARTING_SECONDS, STOPPING_SECONDS = 300.0, 20.0
NO_POSTGRES = "PostgreSQL is not installed here; on Debian and Ubuntu: apt-get install postgresql"
KEYS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}
"""moto asks for keys, and takes any."""


class ServicesError(Exception):
    """They can't be started; the text says why and how to mend it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done, 2 they can't be started, 130 interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("do", choices=("start", "stop"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / f"mnistgan-{getpass.getuser()}")
    parser.add_argument("--port", type=int, default=5600, help="MLflow's; the store and PostgreSQL take the next two")
    asked = parser.parse_args(arguments)
    try:
        if asked.do == "stop":
            stop(asked.folder)
            return 0
        told = start(asked.folder, asked.port)
    except (ServicesError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print("\n".join(f"export {name}={value}" for name, value in told.items()))
    return 0


def start(folder: Path, port: int) -> dict[str, str]:
    """Starts all three; returns the variables by which commands find them. Raises ServicesError, none left running."""
    if folder.exists():
        raise ServicesError(f"{folder}: is there, so services may run already; `make services-stop` ends them")
    folder.mkdir(mode=0o755)
    (folder / RECORD).write_text("{}")
    try:
        return _start(folder, port)
    except BaseException:
        stop(folder)
        raise


def _start(folder: Path, port: int) -> dict[str, str]:
    store, database = f"http://{HOST}:{port + 1}", port + 2
    where = {"MLFLOW_S3_ENDPOINT_URL": store, "AWS_ENDPOINT_URL": store, **KEYS}
    _start_postgres(folder, database)
    command = [sys.executable, "-m", "moto.server", "--host", HOST, "--port", str(port + 1)]
    _launch(folder, "store", command, lambda: _answers(port + 1, f"/{BUCKET}", "PUT"))
    # The variable, not the option: a list of processes shows options, and a team's address has a password in it.
    server = {"MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg://mlflow@{HOST}:{database}/postgres", **where}
    server["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # which nothing here asks for, and starts processes
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--artifacts-destination", f"s3://{BUCKET}/mlflow"]
    _launch(folder, "mlflow", command, lambda: _answers(port, "/health"), {**os.environ, **server})
    return {"MLFLOW_TRACKING_URI": f"http://{HOST}:{port}", **where}


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs, the newest that is installed; Debian keeps them off the search path."""
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    return next(iter([*on_path, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]), None)


def _start_postgres(folder: Path, port: int) -> None:
    programs = postgres_programs()
    if programs is None:
        raise ServicesError(NO_POSTGRES)
    data, user = folder / "postgres", "nobody" if os.getuid() == 0 else None
    data.mkdir(mode=0o700)
    if user:
        shutil.chown(data, user)
    made = [str(programs / "initdb"), "-D", str(data), "-U", "mlflow", "-A", "trust", "-E", "UTF8", "--no-sync"]
    done = subprocess.run(made, user=user, cwd=data, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServicesError(f"PostgreSQL's initdb failed: {done.stderr.strip()}")
    ready = [str(programs / "pg_isready"), "-q", "-h", HOST, "-p", str(port)]
    settings = {"listen_addresses": HOST, "port": port, "unix_socket_directories": ""}
    command = [str(programs / "postgres"), "-D", str(data), *(f"--{name}={text}" for name, text in settings.items())]
    _launch(folder, "postgres", command, lambda: not subprocess.run(ready, check=False).returncode, user=user)


def _launch(
    folder: Path,
    name: str,
    command: Sequence[str],
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a service in a group of its own, records it, and waits until it answers. Raises ServicesError."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder / name if user else folder,
            env=environment,
            user=user,
            start_new_session=True,
        )
    record = {**_recorded(folder), name: [process.pid, psutil.Process(process.pid).create_time()]}
    (folder / RECORD).write_text(json.dumps(record))
    until = time.monotonic() + STARTING_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > until:
            last = log.read_text("utf-8", "replace").strip().splitlines()[-5:]
            raise ServicesError("\n".join([f"{name} does not answer; its log ends so:", *last]))
        time.sleep(0.2)
    return process


def _answers(port: int, path: str, method: str = "GET") -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=STARTING_SECONDS)
    try:
        connection.request(method, path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(folder: Path) -> None:
    """Ends what was started there, the last one first, and removes the folder; nothing where none was started."""
    if not (folder / RECORD).is_file() or folder.stat().st_uid != os.getuid():
        return
    for pid, began in reversed(_recorded(folder).values()):
        try:
            process = psutil.Process(pid)
            if process.create_time() != began:
                continue  # the number is another's by now
            os.killpg(pid, signal.SIGINT)
            process.wait(STOPPING_SECONDS)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
        except psutil.TimeoutExpired:
            os.killpg(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _recorded(folder: Path) -> dict[str, tuple[int, float]]:
    found: dict[str, tuple[int, float]] = json.loads((folder / RECORD).read_text())
    return found


if __name__ == "__main__":
    sys.exit(main())
