"""A repository whose one stage sleeps, its remotes and clones, and a Dask cluster over them: all on this machine."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from benchmarks import ROOT
from pipeline.engines.jobs import Job

STAGE = """
import os, re, time
params = dict(re.findall("(.*): (.*)", open("params.yaml").read()))
with open(os.environ["STUB_BEGUN"], "a") as begun:
    begun.write(f"{params['seed']} {os.getpid()}\\n")
time.sleep(float(params["seconds"]))
open("model", "w").write(params["seed"])
"""
PIPELINE = """
stages:
  wait:
    cmd: exec python wait.py
    deps: [wait.py]
    params: [seed, seconds]
    outs: [model]
"""
PATIENCE_SECONDS = 300.0


@dataclass
class Stub:
    """A git remote, a DVC remote and the clone that both were filled from."""

    root: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables of all that runs here."""

    def __post_init__(self) -> None:
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.root / "remote.git"))
        self.git("clone", "--quiet", "remote.git", "head")
        self.dvc("init", "--quiet")
        (self.head / ".dvc" / "config").write_text(
            f"[core]\n    analytics = false\n    check_update = false\n    remote = store\n"
            f"['remote \"store\"']\n    url = {self.root / 'store'}\n"
        )
        (self.head / "wait.py").write_text(STAGE)
        (self.head / "dvc.yaml").write_text(PIPELINE)
        (self.head / "params.yaml").write_text("seed: -1\nseconds: 0\n")
        (self.head / ".gitignore").write_text("/model\n")
        (self.head / "requirements.lock").write_text(f"dvc=={metadata.version('dvc')} \\\n    --hash=sha256:0\n")
        self.commit("one")

    @property
    def head(self) -> Path:
        return self.root / "head"

    @property
    def environment(self) -> dict[str, str]:
        """Variables for what runs here: this code, whichever the folder, and nobody's settings."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        ours = {"PATH": path, "PYTHONPATH": str(ROOT), "STUB_BEGUN": str(self.root / "begun"), "HOME": str(self.root)}
        who = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return {**os.environ, **ours, **who, **self.settings}

    def git(self, *words: str, folder: Path | None = None) -> str:
        return self._run(["git", *words], folder or self.root)

    def dvc(self, *words: str) -> str:
        return self._run([sys.executable, "-m", "dvc", *words], self.head)

    def _run(self, command: list[str], folder: Path) -> str:
        done = subprocess.run(command, cwd=folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit what is in the head's clone, and push it."""
        self.git("add", "--all", folder=self.head)
        self.git("commit", "--quiet", "--message", message, folder=self.head)
        self.git("push", "--quiet", "origin", "main", folder=self.head)
        return self.git("rev-parse", "HEAD", folder=self.head)

    def clone(self, name: str) -> Path:
        self.git("clone", "--quiet", "remote.git", name)
        return self.root / name

    def job(self, seed: int, seconds: float = 0.0) -> Job:
        commit = self.git("rev-parse", "main", folder=self.root / "remote.git")
        return Job(f"seed{seed}", commit, (f"seed={seed}", f"seconds={seconds:g}"))

    def start(self, *words: str, folder: Path | None = None, module: str = "pipeline") -> "Started":
        """Start a command of the pipeline, or of another module, in a group of its own."""
        return Started([sys.executable, "-m", module, *words], folder or self.head, self.environment)

    def scheduler(self, port: int = 0) -> tuple["Started", str]:
        """Start a scheduler; returns its address, too."""
        started = self.start("jobs", "scheduler", "--listen", f"tcp://127.0.0.1:{port or free_port()}")
        return started, started.says(r"scheduler at (\S+)")

    def worker(self, address: str, name: str) -> "Started":
        """Start a worker of one core in a clone of its own."""
        folder = self.root / name
        words = ("jobs", "worker", "--scheduler", address, "--cores", "1", "--patience", "60")
        return self.start(*words, folder=folder if folder.is_dir() else self.clone(name))

    def run_jobs(self, address: str, count: int, seconds: float) -> "Started":
        """Start what a person would: jobs that are not recorded yet are handed to a scheduler, and waited for."""
        words = ("head", "--scheduler", address, "--jobs", str(count), "--seconds", f"{seconds:g}")
        return self.start(*words, module="benchmarks.spreading")

    @property
    def recorded(self) -> Counter[str]:
        """How often each job is recorded at git's remote."""
        refs = self.git("for-each-ref", "--format=%(refname:lstrip=4)", "refs/exps", folder=self.root / "remote.git")
        return Counter(refs.split())

    @property
    def begun(self) -> list[tuple[str, int]]:
        """The seed and the process of each stage that was begun, one that was begun again too."""
        file = self.root / "begun"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(seed, int(pid)) for seed, pid in map(str.split, lines)]

    @property
    def alive(self) -> list[int]:
        """The processes of stages that are at work now."""
        return [pid for _, pid in self.begun if _is_stage(pid)]


class Started:
    """A command at work in a process group of its own."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.log = folder.parent / f"{folder.name}-{time.monotonic_ns()}.log"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def says(self, pattern: str) -> str:
        """Wait until it prints what matches; returns the first group."""
        self.until(lambda: re.search(pattern, self.log.read_text()) is not None)
        found = re.search(pattern, self.log.read_text())
        assert found
        return found[1] if found.re.groups else found[0]

    def until(self, moment: Callable[[], bool]) -> None:
        """Wait for a moment, as long as this lives."""
        wait_until(moment, lambda: f"{self.process.poll()}: {self.log.read_text()}", self.lives)

    def lives(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def end(self, seconds: float = PATIENCE_SECONDS) -> tuple[int, str]:
        """Wait for its end; its exit code and all that it printed."""
        return self.process.wait(seconds), self.log.read_text()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send its group a signal."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        if number != signal.SIGSTOP and number != signal.SIGCONT:
            self.process.wait(PATIENCE_SECONDS)


def wait_until(
    moment: Callable[[], bool], told: Callable[[], str] = str, lives: Callable[[], bool] = lambda: True
) -> None:
    """Wait for a moment; what did not come is an error that says what is told then."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not moment():
        assert lives() or moment(), told()
        assert time.monotonic() < limit, told()
        time.sleep(0.05)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_stage(pid: int) -> bool:
    try:
        return b"wait.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
