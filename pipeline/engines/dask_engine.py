"""Runs jobs on the workers of a Dask scheduler."""

import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mnistgan.errors import GitError, Interrupted, TrainingError, UnfitError, UsageError
from pipeline import console
from pipeline.dvcfiles import experiment_refs, git
from pipeline.engines import dask_serving as serving
from pipeline.engines import working
from pipeline.engines.jobs import Job

if TYPE_CHECKING:
    from distributed import Client, Future

LAG_SECONDS = 10.0  # how long a worker may take to hear and to tell
TRIES = 3  # of a job that something else ended
STARTS_SCHEDULER = "`python -m pipeline jobs scheduler` starts one, and the same command goes on with what is missing"


class Cluster:
    """The workers of a scheduler, as an engine."""

    def __init__(self, address: str) -> None:
        serving.settle()
        self._address = address
        self._security = serving.security(address, "client")
        self._client: Client | None = None
        self._waiting: deque[Job] = deque()
        self._at_work: dict[str, tuple[Job, Future]] = {}
        self._workers = 1  # until it is known
        self._tries: Counter[str] = Counter()
        self._done: list[str] = []
        self._failed: dict[str, str] = {}

    def collect(self, names: Iterable[str]) -> None:
        """Fetches the experiments of these names from git's remote that are not here yet."""
        wanted, here = set(names), {ref for _, _, ref in git.experiments()}
        listed = git.run("ls-remote", working.REMOTE, f"{experiment_refs.EXPERIMENTS}/*").decode().split()[1::2]
        if refs := [ref for ref in listed if experiment_refs.name_of(ref) in wanted and ref not in here]:
            git.run("fetch", "--quiet", "--no-tags", working.REMOTE, *(f"{ref}:{ref}" for ref in refs))

    def submit(self, missing: Callable[[], Sequence[Job]]) -> None:
        """Takes the jobs that are missing; each is handed out when cores are free for it."""
        from distributed import Client

        self._waiting.extend(missing())
        for commit in {job.commit for job in self._waiting}:
            if not git.line("for-each-ref", "--contains", commit, f"refs/remotes/{working.REMOTE}"):
                raise UsageError(f"{working.REMOTE} has no commit {commit[:7]}, which workers fetch; `git push` it")
        try:
            self._client = Client(self._address, security=self._security, set_as_default=False)
        except OSError as error:
            raise TrainingError(f"no scheduler answers at {self._address}; {STARTS_SCHEDULER}") from error

    def watch(self) -> Iterator[Mapping[str, str]]:
        """Hands out jobs and takes back what ended, until none is left. Raises TrainingError without a scheduler."""
        client = self._client
        assert client is not None
        while self._waiting or self._at_work:
            if client.status == "closed":
                raise TrainingError(f"the scheduler at {self._address} is gone; {STARTS_SCHEDULER}")
            with suppress(OSError):  # the connection is lost just now: the next look finds how that ended
                if client.status == "running":
                    self._take_back(client)
                    self._hand_out(client)
            said = f"one of {len(self._at_work)} at work on {self._workers} workers"
            first, waiting = list(self._at_work)[:1], [job.name for job in self._waiting]
            yield dict.fromkeys([*self._at_work, *waiting], "") | dict.fromkeys(first, said)
            time.sleep(serving.POLL_SECONDS)
        client.close()
        self.collect(self._done)
        yield {}

    def stop(self) -> None:
        """Ends all jobs, and waits until no worker is at one."""
        client, limit = self._client, time.monotonic() + working.ENDING_SECONDS + LAG_SECONDS
        if client is None or client.status != "running":
            return
        with suppress(OSError):  # without a scheduler they end by themselves
            client.cancel([future for _, future in self._at_work.values()])
            while sum(client.run(serving.count_at_work, on_error="ignore").values()) and time.monotonic() < limit:
                time.sleep(serving.POLL_SECONDS)
            client.close()

    def log_of(self, name: str) -> str:
        """What a job that failed said last, and where."""
        return self._failed.get(name, "it was not begun")

    def _hand_out(self, client: "Client") -> None:
        """Hands out as many jobs as cores are free for, so that a lost worker's are those alone that it was at."""
        workers = client.scheduler_info()["workers"].values()
        cores = [each["resources"]["cores"] for each in workers if "cores" in each["resources"]]
        if self._workers and not cores:
            console.say(f"no worker is at {self._address}; `python -m pipeline jobs worker` starts one in its clone")
        self._workers = len(cores)
        most = max(cores, default=0)
        free = sum(cores) - sum(min(job.cores, most) for job, _ in self._at_work.values())
        while self._waiting and 0 < (taken := min(self._waiting[0].cores, most)) <= free:
            job = self._waiting[0]
            told = (job.name, job.commit, list(job.overrides))
            future = client.submit(serving.run, *told, pure=False, resources={"cores": taken})
            self._at_work[self._waiting.popleft().name] = job, future
            free -= taken

    def _take_back(self, client: "Client") -> None:
        for job, future in list(self._at_work.values()):
            if future.status == "pending":
                continue
            if future.status == "finished":
                self._judge(client, job, *future.result())
            elif future.status == "error":  # its worker was killed, and so were those that had it next
                self._fail(job, f"{future.exception()}")
            else:  # given up with the connection to the scheduler
                self._waiting.append(job)
            del self._at_work[job.name]

    def _judge(self, client: "Client", job: Job, code: int, said: str, where: str) -> None:
        self._tries[job.name] += 1
        if code == 0:
            self._done.append(job.name)
            with suppress(GitError):  # of a remote that is away, which is asked again at the end
                self.collect(self._done)
        elif code == UnfitError.exit_code:
            console.warn(f"{where} is let go: {said}")
            client.retire_workers([where])
            self._waiting.append(job)
        elif code in (Interrupted.exit_code, -signal.SIGKILL) and self._tries[job.name] < TRIES:
            self._waiting.append(job)
        else:
            self._fail(job, f"exit code {code} on {where}: {said}; the rest is in {serving.log_of(job.name)} there")

    def _fail(self, job: Job, reason: str) -> None:
        self._failed[job.name] = reason
        console.warn(f"{job.name} failed: {reason}")
