"""Makes .venv hold what requirements.lock says, by the interpreter that runs this; at once if it does already.

``--dev`` adds what requirements-dev.lock says, to whatever is there; once added, it stays until a lock changes.

Only the standard library is at hand here. pip does the installing, so that a mirror, a proxy or a certificate set in
pip's own configuration keeps working; no other setting of pip or Python does.
"""

import argparse
import ast
import hashlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

DEV = Path("requirements-dev.lock")
STAMP = "made-from"  # a line for each lock, written last, so a venv without it is half-made
LOG = "bootstrap.log"
PLAIN_LINE_SECONDS = 15.0
SHOWN_LINES = 20
LONGEST_INTERPRETER = 124
ISOLATED = "-I"  # without PYTHONPATH, PYTHONHOME and the user's own packages
# Where packages are, and how to get there. Others, as `target`, `user` and `dry-run` do, would leave .venv empty.
WAYS = {
    *("index-url", "extra-index-url", "no-index", "find-links", "trusted-host", "cert", "client-cert", "proxy"),
    *("timeout", "default-timeout", "retries", "resume-retries", "cache-dir", "no-cache-dir", "keyring-provider"),
    *("use-feature", "use-deprecated"),  # by which some take the system's certificates
}


class BootstrapError(Exception):
    """The environment can't be made; the text says why and how to mend it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the environment. Returns the exit code: 0 done, 2 it can't be made, 130 interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=Path(".venv"), help="the folder to make")
    parser.add_argument("--lock", type=Path, default=Path("requirements.lock"), help="every package with its hashes")
    parser.add_argument("--dev", action="store_true", help=f"the development tools too, as {DEV} has them")
    options = parser.parse_args(arguments)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")  # what the terminal's encoding lacks
    try:
        bootstrap(options.venv, [options.lock, *([DEV] if options.dev else [])])
    except BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command starts the environment afresh", file=sys.stderr)
        return 130
    return 0


def bootstrap(venv: Path, locks: Sequence[Path]) -> None:
    """Makes ``venv`` from ``locks``, or adds to it those that it was not made from. Raises BootstrapError."""
    wanted = {lock: _stamp(venv, lock) for lock in locks}
    made = _made(venv)
    if made and all(stamp in made and not _lacking(venv, lock) for lock, stamp in wanted.items()):
        return
    adds = len(made) == 1 and wanted[locks[0]] in made and not _lacking(venv, locks[0])
    if find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise BootstrapError(
            f"{sys.executable} has no venv (Debian and Ubuntu package it apart): "
            f"apt-get install python{version}-venv, or name another interpreter: make PYTHON=/path/to/python"
        )
    _check_place(_python(venv.absolute()))
    started = time.monotonic()
    if adds:
        _say(f"adding {locks[-1]} to {venv}: about half a minute and 0.4 GB of disk")
        (venv / STAMP).unlink()
    else:
        of = " and ".join(str(lock) for lock in locks)
        _say(f"making {venv} with Python {sys.version.split()[0]} from {of}: about 2 minutes and up to 3 GB of disk")
        if venv.exists():
            shutil.rmtree(venv)
        _run([_interpreter(), ISOLATED, "-m", "venv", str(venv)], venv)
    for lock in locks[1:] if adds else locks:
        _install(venv, lock)
        if lacking := _lacking(venv, lock):
            raise BootstrapError(f"pip says that it is done, but {venv} lacks {', '.join(lacking)}; see {venv / LOG}")
    # pip compiles on one core; this takes them all, and leaves out the packages' own tests.
    compile_all = [str(_python(venv)), ISOLATED, "-m", "compileall", "-q", "-j", "0", "-x", "/tests?/"]
    _run([*compile_all, str(venv / "lib")], venv, may_fail=True)
    (venv / STAMP).write_text("".join(wanted.values()), "utf-8")
    _say(f"made {venv} in {time.monotonic() - started:.0f} s")


def _check_place(python: Path) -> None:
    """Raises BootstrapError where the programs that pip installs could not start the Python that they name.

    They name it in their first line, which the system takes without spaces and up to 127 bytes long, else to a shell.
    """
    path = str(python)
    if " " in path:
        starts = path.isprintable() and not set(path) & set('"$`\\')
    else:
        starts = path.isprintable() and (len(os.fsencode(path)) <= LONGEST_INTERPRETER or shlex.quote(path) == path)
    if ":" in path or not starts:
        raise BootstrapError(f"{path!r}: no program of a .venv starts there; rename the folder, or shorten its path")


def _stamp(venv: Path, lock: Path) -> str:
    """Describes what ``venv`` is made from: a Python, a lock, and its place, which its scripts name."""
    try:
        content = hashlib.sha256(lock.read_bytes() + bytes(venv.resolve())).hexdigest()
    except FileNotFoundError as error:
        raise BootstrapError(f"{lock}: no such file; run from the repository's root") from error
    return f"{sys.version_info.major}.{sys.version_info.minor} {content}\n"


def _made(venv: Path) -> list[str]:
    """Reads the stamps of what ``venv`` was made from; none of one that is half-made or was moved."""
    stamp = venv / STAMP
    return stamp.read_text("utf-8").splitlines(keepends=True) if _python(venv).exists() and stamp.is_file() else []


def _python(venv: Path) -> Path:
    return venv / "bin" / "python"


def _interpreter() -> str:
    """Finds this Python outside of any environment: make has .venv first on PATH, and that was just removed."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def _lacking(venv: Path, lock: Path) -> list[str]:
    """Lists the lock's packages that are not in ``venv``; those that some platforms leave out are not looked for."""
    infos = (venv / "lib").glob("python3*/site-packages/*-info")  # .egg-info: by a pip before 23.1, of a source
    held = {_plain(re.sub(r"(-py3\.\d+)?\.(dist|egg)-info$", "", info.name)) for info in infos}
    wanted = re.findall(r"^([\w.-]+)==([^\s;]+)[ \\]*$", lock.read_text("utf-8"), re.MULTILINE)
    return [f"{name} {version}" for name, version in wanted if _plain(f"{name}-{version}") not in held]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _environment(venv: Path) -> dict[str, str]:
    """Makes the environment for pip: of its own variables and files, and of Python's variables, the WAYS alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    ways = {_variable(name) for name in WAYS}
    told = {name: value for name, value in os.environ.items() if name in ways}
    return {**kept, **_ways_of_files(venv, kept), **told, "PIP_CONFIG_FILE": os.devnull}


def _ways_of_files(venv: Path, environment: dict[str, str]) -> dict[str, str]:
    """Reads the WAYS from pip's configuration files, as variables. Raises BootstrapError where pip can't read them."""
    own = {name: value for name, value in os.environ.items() if name == "PIP_CONFIG_FILE"}
    listing = [str(_python(venv)), ISOLATED, "-m", "pip", "config", "list"]
    environment = {**environment, **own, "PIP_QUIET": "0"}
    listed = subprocess.run(listing, env=environment, capture_output=True, encoding="utf-8", check=False)
    if listed.returncode:
        raise BootstrapError(f"pip can't read its configuration:\n{listed.stderr.strip()}")
    settings = re.findall(r"^(global|install)\.([\w-]+)=(.*)$", listed.stdout, re.MULTILINE)  # global is listed first
    return {_variable(name): str(ast.literal_eval(value)) for _, name, value in settings if name in WAYS}


def _variable(setting: str) -> str:
    return f"PIP_{setting.upper().replace('-', '_')}"


def _install(venv: Path, lock: Path) -> None:
    command = [str(_python(venv)), ISOLATED, "-m", "pip", "install", "--no-deps", "--require-hashes", "--no-compile"]
    command += ["--no-input", "--progress-bar=off", "--disable-pip-version-check", "-r", str(lock)]
    _run(command, venv, _environment(venv), total=len(re.findall(r"^\w", lock.read_text("utf-8"), re.MULTILINE)))


def _run(
    command: list[str], venv: Path, environment: dict[str, str] | None = None, *, total: int = 0, may_fail: bool = False
) -> None:
    """Runs ``command`` with all that it prints in the log; of ``total`` packages, says how many it has come to."""
    last: deque[str] = deque(maxlen=SHOWN_LINES)
    venv.mkdir(exist_ok=True)
    progress = _Progress(total)
    with (
        (venv / LOG).open("a", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as run,
    ):
        assert run.stdout is not None
        for line in run.stdout:
            log.write(line)
            # A pip configuration can make it warn once a package; an error is never among the warnings.
            if not line.startswith("WARNING: "):
                last.append(line)
            progress.see(line)
    progress.end()
    if run.returncode and not may_fail:
        lines = "".join(last)
        raise BootstrapError(
            f"{' '.join(command)}\nexited {run.returncode}; its last lines (all of them: {venv / LOG}):\n{lines}"
        )


class _Progress:
    """Counts pip's packages: on one line of a terminal, elsewhere by a line now and then."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._printed = time.monotonic()
        self._bar = sys.stderr.isatty()

    def see(self, line: str) -> None:
        if not self._total:
            return
        if line.startswith(("Collecting ", "Ignoring ")):
            self._done += 1
            self._show(f"  packages fetched: {self._done}/{self._total}")
        elif line.startswith("Installing collected packages"):
            self._show("  installing them")

    def _show(self, text: str) -> None:
        now = time.monotonic()
        if self._bar:
            print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)
        elif now - self._printed >= PLAIN_LINE_SECONDS:
            _say(text)
            self._printed = now

    def end(self) -> None:
        if self._bar and self._total:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
