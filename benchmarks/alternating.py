"""Times contenders in turn, each in a process of its own, since machines drift and libraries share no settings.

Every contender is a module of ``benchmarks`` whose ``main`` calls :func:`serve`. It gets ready, then runs one round
a line of its input and answers with the images and seconds of it; while one runs, the others wait.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

from benchmarks import ROOT
from benchmarks.ending import BenchmarkError

IMAGES_A_ROUND = 2048
"""Two to five seconds of training on two cores; at each batch size from 32 to 256 whole rounds of the penalties on the
discriminator's slope, one every 8 steps."""
_SHOWN_LINES = 15


@dataclass(frozen=True)
class Contender:
    """A contender: its name, a module of ``benchmarks``, its options, and the interpreter that has what it imports."""

    name: str
    module: str
    options: Sequence[str] = ()
    python: str = sys.executable


def alternate(contenders: Sequence[Contender], rounds: int) -> dict[str, list[float]]:
    """Images a second by contender, one a round; every other round goes through them backwards.

    Raises BenchmarkError, with what the contender said last, where one fails.
    """
    speeds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    with ExitStack() as stack:
        workers = [stack.enter_context(_Worker(contender)) for contender in contenders]
        for worker in workers:
            worker.answer()  # says that it is ready
        for place in range(rounds):
            for worker in workers if place % 2 == 0 else reversed(workers):
                speeds[worker.contender.name].append(worker.run())
    return speeds


class _Worker:
    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - until it ends
        self._process = subprocess.Popen(
            [contender.python, "-m", f"benchmarks.{contender.module}", *contender.options],
            cwd=ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def run(self) -> float:
        """Runs a round; images a second."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._failure() from error
        answer = self.answer()
        return answer["images"] / answer["seconds"]

    def answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        answer: dict[str, float] = json.loads(line)
        return answer

    def _failure(self) -> BenchmarkError:
        code = self._process.wait()
        self._errors.seek(0)
        said = "".join(self._errors.readlines()[-_SHOWN_LINES:]).strip()
        return BenchmarkError(f"{self.contender.name} ended with exit code {code}:\n{said}")


def hold_to(cores: int) -> None:
    """Leaves this process the first ``cores`` of its cores; to be called before a library counts them."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def serve(run: Callable[[], int]) -> None:
    """Runs a round a line of input, after one that warms up; ``run`` returns how many images it trained on."""
    answers = _answers()
    run()
    _tell(answers, images=0, seconds=0)
    for _ in sys.stdin:
        began = time.perf_counter()
        images = run()
        _tell(answers, images=images, seconds=time.perf_counter() - began)


def _answers() -> IO[str]:
    """Opens the stream for answers; whatever else this process prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _tell(answers: IO[str], **answer: float) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
