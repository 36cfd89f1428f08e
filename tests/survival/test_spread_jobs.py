"""Jobs on Dask's workers, of which one, the scheduler, the head or the network is taken away: all recorded once.

The stage sleeps, in a repository of its own; the rest is real: git, DVC, `jobs run`, scheduler, workers.
"""

import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.stub import Started, Stub, free_port, wait_until

pytestmark = pytest.mark.slow

SECRET = "open-sesame"
SETTINGS = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "3s", "MLFLOW_TRACKING_PASSWORD": SECRET}


class Cluster:
    """A scheduler and two workers."""

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self.scheduler, self.address = stub.scheduler()
        self.workers = {name: stub.worker(self.address, name) for name in ("one", "two")}

    def revive(self) -> None:
        """Start what ended."""
        if not self.scheduler.lives():
            self.scheduler, _ = self.stub.scheduler(int(self.address.rpartition(":")[2]))
        for name, worker in self.workers.items():
            if not worker.lives():
                self.workers[name] = self.stub.worker(self.address, name)

    def begin(self, count: int, seconds: float) -> Started:
        """Start jobs, and wait until a stage sleeps."""
        head = self.stub.run_jobs(self.address, count, seconds)
        head.until(lambda: bool(self.stub.alive))
        return head

    def busy(self) -> tuple[str, int]:
        """A worker that has a stage at work, and the stage's process."""
        pid = self.stub.alive[0]
        folder = Path(f"/proc/{pid}/cwd").readlink()
        return folder.relative_to(self.stub.root).parts[0], pid


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(Stub(tmp_path_factory.mktemp("spread"), SETTINGS))
    yield made
    for one in (*made.workers.values(), made.scheduler):
        one.kill()


@pytest.fixture
def cluster(made: Cluster) -> Cluster:
    made.revive()
    return made


def all_recorded_once(cluster: Cluster, count: int) -> bool:
    return cluster.stub.recorded == Counter({f"seed{seed}": 1 for seed in range(count)})


def test_of_a_worker_that_is_killed_no_stage_goes_on_and_another_does_its_job(cluster: Cluster) -> None:
    head = cluster.begin(2, 2)
    name, pid = cluster.busy()
    cluster.workers[name].kill()
    wait_until(lambda: pid not in cluster.stub.alive)
    code, said = head.end()
    assert code == 0, said
    assert all_recorded_once(cluster, 2)
    lost = next(seed for seed, each in cluster.stub.begun if each == pid)
    assert Counter(seed for seed, _ in cluster.stub.begun)[lost] == 2


def test_with_the_scheduler_killed_all_end_and_the_same_command_does_what_is_missing_and_no_more(
    cluster: Cluster,
) -> None:
    head = cluster.begin(4, 2)
    assert "submits 2" in head.log.read_text()
    cluster.scheduler.kill()
    code, said = head.end()
    assert code == 2
    assert "is gone; `python -m pipeline jobs scheduler` starts one, and the same command goes on" in said
    wait_until(lambda: not cluster.stub.alive)
    cluster.revive()
    code, said = cluster.stub.run_jobs(cluster.address, 4, 2).end()
    assert code == 0, said
    assert all_recorded_once(cluster, 4)
    assert {seed for seed, _ in cluster.stub.begun} == set("0123")


def test_ctrl_c_leaves_nothing_running(cluster: Cluster) -> None:
    head = cluster.begin(6, 300)
    head.kill(signal.SIGINT)
    assert head.process.returncode == 130, head.log.read_text()
    assert cluster.stub.alive == []
    cluster.begin(6, 300).kill()  # who can't say any more that it ends
    wait_until(lambda: not cluster.stub.alive)
    assert all_recorded_once(cluster, 4)


def test_who_is_not_reached_for_a_while_is_waited_for_and_nothing_runs_twice(cluster: Cluster) -> None:
    before = len(cluster.stub.begun)
    head = cluster.begin(5, 1)
    cluster.scheduler.kill(signal.SIGSTOP)
    wait_until(lambda: not cluster.stub.alive)
    cluster.scheduler.kill(signal.SIGCONT)
    code, said = head.end()
    assert code == 0, said
    assert all_recorded_once(cluster, 5)
    assert [seed for seed, _ in cluster.stub.begun[before:]] == ["4"]


def test_who_finds_no_scheduler_and_who_can_not_be_one_says_where(cluster: Cluster) -> None:
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    code, said = cluster.stub.start("jobs", "worker", "--scheduler", nowhere, "--patience", "1").end()
    assert (code, said) == (2, f"error: no scheduler answers at {nowhere} within 1 s\n")
    code, said = cluster.stub.start("jobs", "scheduler", "--listen", cluster.address).end()
    assert code == 2
    assert f"error: {cluster.address}: can't listen there: " in said
    assert "in use" in said


def test_a_worker_that_lost_its_disk_is_let_go_and_another_does_its_jobs(cluster: Cluster) -> None:
    shutil.rmtree(cluster.stub.root / "two")
    head = cluster.stub.run_jobs(cluster.address, 7, 0)
    code, said = head.end()
    assert code == 0, said
    assert "is let go: " in said
    code, said = cluster.workers["two"].end()
    assert code == 75
    assert "clone is gone" in said
    assert all_recorded_once(cluster, 7)


def test_no_password_of_the_environment_is_in_a_log(made: Cluster) -> None:
    logs = [log.read_text() for log in made.stub.root.rglob("*.log")]
    assert any("is recorded" in log for log in logs)
    assert not any(SECRET in log for log in logs)
