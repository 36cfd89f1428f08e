"""Does a job in a clone of one's own: trains it as a DVC experiment, and pushes what it made. Knows no engine.

A job has a folder to itself, a clone that shares the objects and the DVC cache of the one it is called in. So any jobs
of any commits run at once, and what a killed one saved of its training is there for its next try on this machine.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from mnistgan import reading
from mnistgan.errors import GitError, TrainingError, UnfitError, UsageError
from pipeline import console
from pipeline.dvcfiles import cache, git
from pipeline.engines import processes, readiness
from pipeline.engines.jobs import Job
from pipeline.runs import checkpoints, journal

FOLDER = Path(".dvc", "tmp", "jobs")
REMOTE = "origin"
LEAST_FREE = 2 * 10**9  # bytes: a training's checkpoints, weights and pictures, and some room
ENDING_SECONDS = 20.0  # how long a training may take to save once it is asked to end
PAUSES = (0.0, 2.0, 10.0, 30.0, 60.0)  # seconds before each try to push: what cuts a network often mends itself
RESULTS = ("dvc.lock", "params.yaml", "recipes", "metrics", "plots")
"""What git keeps of a run: enough to compare and to draw it."""
BUNDLE = "experiment.bundle"
_RUN_AND_PUSH = "import sys; from dvc.cli import main; sys.exit(main(sys.argv[1:]) or main(['push', '--quiet']))"
_REQUIREMENT = re.compile(r"^[A-Za-z0-9].*", re.MULTILINE)


def work(job: Job, out: Path | None = None, least_free: int = LEAST_FREE) -> str:
    """Does a job; returns in a line what came of it.

    What it made is pushed to the remotes of git and of DVC, the experiment last and at once, so that it is there whole
    or not at all. One that is there already is not trained, and of two that end together the first is recorded. With
    ``out`` nothing is pushed, and what git keeps is left in that folder.

    Raises UnfitError where this machine can't do it, TrainingError where the experiment fails, GitError or UsageError
    where its commit is not to be had.
    """
    from filelock import FileLock

    _check_machine(least_free)
    readiness.check_history()
    folder = (FOLDER / job.name).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{job.name}.lock")):
        if out is None and _is_recorded(job):
            return f"{job.name} is recorded already"
        if git.commit(job.ref) is None or out:  # else it was made here, and could not be pushed
            _fetch(job.commit)
            _lay_out(job, folder)
            try:
                _run(job, folder, _python(folder), shared=out is None)
            except (GitError, OSError, TrainingError):
                _check_machine(least_free)
                raise
            if out:
                _leave(job, folder, out)
            if git.commit(job.ref, folder):
                git.run("fetch", "--quiet", "--no-tags", str(folder), f"+{job.ref}:{job.ref}")
            if (folder / journal.FOLDER).is_dir():
                shutil.copytree(folder / journal.FOLDER, journal.FOLDER, dirs_exist_ok=True)
            shutil.rmtree(folder)
        return f"{job.name} is done" if out else _push(job)


def _is_recorded(job: Job) -> bool:
    """Whether git's remote has the experiment."""
    return bool(git.run("ls-remote", REMOTE, job.ref).strip())


def _check_machine(least_free: int) -> None:
    """Raises UnfitError where the clone is gone, or the disk full."""
    try:
        free = shutil.disk_usage(".git").free
    except OSError as error:
        raise UnfitError(f"this worker's clone is gone: {error}") from error
    if free < least_free:
        raise UnfitError(f"the disk of {Path().resolve()} has {free / 1e9:.3g} GB left; takes {least_free / 1e9:.3g}")


def _fetch(commit: str) -> None:
    """Fetches a commit that is not here. Raises UsageError where the remote has none."""
    if git.commit(commit) is None:
        git.run("fetch", "--quiet", REMOTE)
    if git.commit(commit) is None:
        raise UsageError(f"{REMOTE} has no commit {commit}; `git push` it first")


def _lay_out(job: Job, folder: Path) -> None:
    """Makes the job's clone anew, since a killed one may hold anything; what was saved of its training stays."""
    fresh = folder.with_name(f"{job.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    git.check_out(job.commit, fresh)
    for name in ("name", "email"):  # of whoever wrote the commit, where this machine's user is nobody
        if not git.line("config", f"user.{name}"):
            known = git.line("log", "-1", f"--format=%a{name[0]}", job.commit)
            git.run("config", f"user.{name}", known, folder=fresh)
    cache.share(fresh)
    for saved in (checkpoints.FOLDER, journal.FOLDER):
        if (folder / saved).is_dir():
            shutil.move(folder / saved, fresh / saved)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _python(folder: Path) -> Path:
    """Finds a Python with what the commit's lock names: this one, or one that is made from it once.

    Raises UnfitError where it can't be made.
    """
    from filelock import FileLock

    lock = folder / "requirements.lock"
    locked = reading.content(lock)
    if not lacking(locked.decode()):
        return Path(sys.executable)
    venv = Path(".dvc", "tmp", f"venv-{hashlib.sha256(locked).hexdigest()[:8]}").absolute()
    command = [sys.executable, "scripts/bootstrap.py", "--venv", str(venv), "--lock", str(lock.relative_to(folder))]
    with FileLock(f"{venv}.lock"):
        made = subprocess.run(command, cwd=folder, stdout=sys.stderr, check=False)  # noqa: S603 - the commit's own
    if made.returncode:
        raise UnfitError(f"the environment that {lock.name} names can't be made here; what is said above tells why")
    return venv / "bin" / "python"


def lacking(locked: str) -> list[str]:
    """Lists the requirements of a lock that this Python does not have as they are pinned."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pinned = [Requirement(line[0].rstrip(" \\")) for line in _REQUIREMENT.finditer(locked)]
    wanted = [one for one in pinned if not one.marker or one.marker.evaluate()]
    here = {canonicalize_name(one.name): one.version for one in metadata.distributions()}
    found = [(one, here.get(canonicalize_name(one.name), "0.dev0")) for one in wanted]
    return [str(one) for one, version in found if not one.specifier.contains(version, prereleases=True)]


def _run(job: Job, folder: Path, python: Path, shared: bool) -> None:
    """Runs the experiment and brings what it made to DVC's remote, where one is set. Raises TrainingError.

    Not ``shared``, the remote may be one that can't be read or written, as for a fork's pull request.
    """
    has_remote = cache.has_remote()
    words = ["exp", "run", "--name", job.name, *(word for each in job.overrides for word in ("-S", each))]
    pulls = has_remote and shared
    if has_remote and not shared:
        _dvc(folder, python, shared, "-m", "dvc", "fetch", "--run-cache")
    code = _dvc(folder, python, shared, *(["-c", _RUN_AND_PUSH, *words, "--pull"] if pulls else ["-m", "dvc", *words]))
    made = git.commit(job.ref, folder)
    if code and (made is None or not pulls):
        raise TrainingError(f"{job.name}: `dvc {shlex.join(words)}` ended with {code}; what it says above tells why")
    if has_remote and not shared:
        _dvc(folder, python, shared, "-m", "dvc", "push", "--run-cache")
    if code and not any(_dvc(folder, python, shared, "-m", "dvc", "push") == 0 for _ in _pauses()):
        raise TrainingError(f"{job.name} was made, and DVC's remote does not take it; the same command tries again")
    if shared and not has_remote:
        console.warn(f"no remote of DVC is set here, so weights and pictures of {job.name} stay on this machine")


def _dvc(folder: Path, python: Path, shared: bool, *words: str) -> int:
    """Runs Python in a job's clone, as DVC or to call it; returns its exit code. What it started ends with it."""
    # DVC runs the stages' `python` by its name alone. MLflow's store here would be lost with the folder.
    settings = {"PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])}
    settings["DVC_SITE_CACHE_DIR"] = str(folder / ".dvc" / "tmp" / "site")
    if not (shared and os.environ.get("MLFLOW_TRACKING_URI")):
        settings["MNISTGAN_TRACKING"] = "off"
    process = subprocess.Popen(  # noqa: S603 - a list of words, no shell
        [str(python), *words],
        cwd=folder,
        env={**git.outside_hooks(), **settings},
        stdin=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        return process.wait()
    finally:
        processes.end(process.pid, os.getpgid, ENDING_SECONDS)
        process.wait()


def _pauses() -> Iterator[None]:
    """Yields after each of the pauses."""
    for seconds in PAUSES:
        time.sleep(seconds)
        yield


def _push(job: Job) -> str:
    """Pushes the experiment to git's remote, which takes the first of a name. Raises GitError where it takes none."""
    if git.commit(job.ref) is None:
        return f"{job.name} makes what {job.commit[:7]} records, byte for byte, so there is no experiment"
    for _ in _pauses():
        try:
            git.run("push", "--quiet", f"--force-with-lease={job.ref}:", REMOTE, job.ref)
        except GitError as error:
            with suppress(GitError):
                if _is_recorded(job):
                    return f"{job.name} was recorded by another meanwhile"
            refused = error
        else:
            return f"{job.name} is recorded"
    raise refused


def _leave(job: Job, folder: Path, out: Path) -> None:
    """Leaves in a folder what git keeps of a run, its commit, and the experiment as a bundle."""
    out.mkdir(parents=True, exist_ok=True)
    for kept in RESULTS:
        if (folder / kept).is_dir():
            shutil.copytree(folder / kept, out / kept, dirs_exist_ok=True)
        elif (folder / kept).exists():
            shutil.copy2(folder / kept, out / kept)
    made = git.commit(job.ref, folder)  # none where every byte is as committed
    (out / "commit").write_text(f"{made or job.commit}\n", "utf-8")
    if made:
        git.run("bundle", "create", "--quiet", str((out / BUNDLE).absolute()), job.ref, f"^{job.commit}", folder=folder)
