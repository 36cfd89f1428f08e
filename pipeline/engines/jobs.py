"""Says what a job is, and what an engine does with jobs."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mnistgan.errors import UsageError
from pipeline.dvcfiles import experiment_refs

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Job:
    """A commit to run with overrides, and the name of the DVC experiment that records it."""

    name: str
    commit: str  # 40 hexadecimal digits
    overrides: tuple[str, ...]  # each KEY=VALUE or FILE:KEY=VALUE, as `dvc exp run -S` takes them
    cores: int = 1  # that it keeps busy

    def __post_init__(self) -> None:
        """Raises UsageError where the name could be none of a ref and of a folder."""
        if not _NAME.fullmatch(self.name) or ".." in self.name or self.name.endswith((".", ".lock")):
            raise UsageError(f"{self.name!r} can't name an experiment; takes letters, digits, _, . and -")

    @property
    def ref(self) -> str:
        """The git ref of the experiment."""
        return experiment_refs.ref_of(self.commit, self.name)


class Engine(Protocol):
    """Where jobs run."""

    def collect(self, names: Iterable[str]) -> None:
        """Brings the experiments of these names here that are recorded elsewhere."""

    def submit(self, missing: Callable[[], Sequence[Job]]) -> None:
        """Has the jobs run that ``missing`` lists, but for those in hand; it is asked again where some got lost."""

    def watch(self) -> Iterator[Mapping[str, str]]:
        """Yields, now and then, the names in hand with what each said last; at the end, with none, once more."""

    def stop(self) -> None:
        """Ends what runs, a training after it has saved, and lets go of what waits."""

    def log_of(self, name: str) -> str:
        """Says where a person finds what a job that failed printed."""
