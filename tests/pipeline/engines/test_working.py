"""What `jobs run` does and refuses around the experiment itself: machine, environment, pushes, leftovers."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from configobj import ConfigObj

from mnistgan.errors import GitError, UnfitError, UsageError
from pipeline.commands.jobs.run import run as work
from pipeline.dvcfiles import cache, git
from pipeline.engines import processes, working
from pipeline.engines.jobs import Job
from tests.pipeline.repository import Repository

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
"""A process that does not end when it is asked to."""


@pytest.fixture
def remote(tmp_path: Path) -> Repository:
    """A bare repository with one commit, on a branch that is checked out nowhere."""
    made = Repository(tmp_path / "remote")
    made.root.mkdir()
    made.git("init", "--quiet", "--bare", "--initial-branch=main")
    return made


@pytest.fixture
def clone(remote: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A clone of it, of DVC's too; the current folder."""
    made = Repository(tmp_path / "clone")
    remote.git("clone", "--quiet", str(remote.root), str(made.root))
    (made.root / ".dvc").mkdir()
    (made.root / ".dvc" / "config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = ../store\n")
    made.commit()
    made.git("push", "--quiet", "origin", "main")
    monkeypatch.chdir(made.root)
    monkeypatch.setattr(working, "PAUSES", (0.0, 0.3, 0.3, 0.3, 0.3, 0.3))
    return made


@pytest.fixture
def made_here(clone: Repository) -> Job:
    """A job whose experiment is made and not pushed."""
    job = Job("fast-seed1-0a1b2c3", clone.git("rev-parse", "HEAD"), ("train.seed=1",))
    clone.git("update-ref", job.ref, experiment(clone))
    return job


def experiment(clone: Repository) -> str:
    """A commit on the side; each is another."""
    return clone.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", os.urandom(4).hex())


def test_a_name_that_could_be_no_folder_or_ref_is_refused() -> None:
    for name in ("../up", "a/b", "", "a..b", "a.lock", "-x", "a b", "end."):
        with pytest.raises(UsageError, match="can't name an experiment"):
            Job(name, "0" * 40, ())
    assert Job("fast-seed3-0a1b2c3", "ab" * 20, ()).ref == f"refs/exps/ab/{'ab' * 19}/fast-seed3-0a1b2c3"


def test_what_was_made_here_and_could_not_be_pushed_is_pushed_and_not_made_again(
    made_here: Job, remote: Repository
) -> None:
    assert working.work(made_here, least_free=0) == "fast-seed1-0a1b2c3 is recorded"
    assert remote.git("rev-parse", made_here.ref) == git.commit(made_here.ref)
    assert working.work(made_here, least_free=0) == "fast-seed1-0a1b2c3 is recorded already"


def test_of_two_that_made_one_thing_the_first_is_recorded(
    made_here: Job, clone: Repository, remote: Repository
) -> None:
    other = experiment(clone)
    clone.git("push", "--quiet", "origin", f"{other}:{made_here.ref}")
    assert working._push(made_here) == "fast-seed1-0a1b2c3 was recorded by another meanwhile"
    assert remote.git("rev-parse", made_here.ref) == other


def test_a_remote_that_is_away_for_a_while_is_waited_for(made_here: Job, remote: Repository) -> None:
    aside = remote.root.rename(remote.root.with_name("aside"))
    back = threading.Timer(0.4, lambda: aside.rename(remote.root))
    back.start()
    assert working._push(made_here) == "fast-seed1-0a1b2c3 is recorded"
    back.join()
    remote.root.rename(aside)
    with pytest.raises(GitError, match="does not appear to be a git repository"):
        working._push(made_here)


def test_a_commit_that_the_remote_lacks_is_named(clone: Repository) -> None:
    with pytest.raises(UsageError, match=r"origin has no commit 0{40}; `git push` it first"):
        working.work(Job("one", "0" * 40, ()), least_free=0)
    with pytest.raises(UsageError, match="'elsewhere' is no commit, branch or tag here"):
        work(commit="elsewhere")


def test_a_full_disk_and_a_clone_that_is_gone_are_this_machines_and_not_the_jobs(clone: Repository) -> None:
    job = Job("one", clone.git("rev-parse", "HEAD"), ())
    with pytest.raises(UnfitError, match=r"GB left; takes 1e\+09"):
        working.work(job, least_free=10**18)
    (clone.root / ".git").rename(clone.root / "lost")
    with pytest.raises(UnfitError, match="this worker's clone is gone"):
        working.work(job, least_free=0)
    assert UnfitError.exit_code == 75


def test_an_environment_is_taken_where_it_has_what_the_lock_pins_for_this_platform(tmp_path: Path) -> None:
    elsewhere = "absent==1 ; sys_platform == 'another' \\\n    --hash=sha256:0\n"
    pinned = f"numpy=={metadata.version('numpy')} \\\n    --hash=sha256:0\n    # via absent\n"
    (tmp_path / "requirements.lock").write_text(elsewhere + pinned)
    assert working._python(tmp_path) == Path(sys.executable)
    assert working.lacking(pinned + "absent==1\nnumpy==1.0 \\\n") == ["absent==1", "numpy==1.0"]


def test_a_machine_that_can_not_have_the_commits_versions_does_not_do_the_job(clone: Repository) -> None:
    (clone.root / "requirements.lock").write_text("numpy==1.0 \\\n    --hash=sha256:0\n")
    (clone.root / "scripts").mkdir()
    (clone.root / "scripts" / "bootstrap.py").write_text("raise SystemExit('no such package')\n")
    (clone.root / ".dvc" / "tmp").mkdir()
    with pytest.raises(UnfitError, match=r"the environment that requirements.lock names can't be made here"):
        working._python(clone.root)


def test_a_jobs_clone_uses_this_ones_cache_remotes_and_secrets(clone: Repository, tmp_path: Path) -> None:
    (clone.root / ".dvc" / "config.local").write_text("['remote \"store\"']\n    password = secret\n")
    (tmp_path / "job" / ".dvc").mkdir(parents=True)
    cache.share(tmp_path / "job")
    written = ConfigObj(str(tmp_path / "job" / ".dvc" / "config.local"))
    assert written["cache"]["dir"] == str(clone.root / ".dvc" / "cache")
    assert written['remote "store"'] == {"url": str(clone.root / "store"), "password": "secret"}
    assert cache.has_remote()
    (clone.root / ".dvc" / "config").write_text("")
    assert not cache.has_remote()


@pytest.mark.parametrize("belongs", [os.getpgid, os.getsid])
def test_what_a_process_started_ends_with_it_be_it_deaf(belongs: Callable[[int], int]) -> None:
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DEAF!r}])"
    with subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, start_new_session=True) as started:
        assert started.stdout
        started.stdout.readline()
        started.kill()
        processes.end(started.pid, belongs, 0.2)
        assert processes._living(started.pid, belongs) == set()
        assert started.stdout.read() == b""  # which nobody holds any more
