"""Finds the files that a run is to show: what dvc.lock records, and what a stage at work writes.

A dvc.lock that git or DVC did not write may say anything. It is held to what vouches for it, the commit's own and DVC's
run cache, so that nobody changed a param beside the digests. What neither knows, as in a clone of weights that were
pulled without a commit, can't be proven, and is believed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mnistgan import reading
from mnistgan.errors import DataError, FormatError, GitError, MnistganError
from pipeline import runtime
from pipeline.dvcfiles import cache, digests, dvc_lock, dvc_yaml, git, layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.results import former
from pipeline.runs import keys
from pipeline.runs.keys import MAKING, State

CLOCK_LAG_SECONDS = 1.0
"""A file system's clock may lag behind the system's by a moment."""
GRID_PREFIX = "epoch_"


@dataclass(frozen=True)
class Sources:
    """The files that a publication is read from: the state, its stages' parts, and which of them have ended."""

    state: State
    parts: Mapping[str, Part]
    ended: frozenset[str]
    running: str | None = None  # the stage at work
    since: float = 0.0
    """When it started (seconds since the epoch): what it writes is newer, what is older was an earlier run's."""
    problems: Sequence[str] = ()  # what in the workspace is not as dvc.lock records, and so is left out

    def fingerprint(self) -> tuple[tuple[str, int], ...]:
        """Changes whenever the running stage has written something that a publication would show."""
        train = former.options("train", self.parts["train"])
        files = [train[name] for name in ("curves", "looks") if name in train and train[name].exists()]
        files += [file for _, file in grids(train["grids"])]
        return tuple((file.name, file.stat().st_mtime_ns) for file in files)

    def fresh(self, stage: str, path: Path) -> bool:
        """Whether a stage's out is of this state, which an out left over from an earlier run is not."""
        if stage in self.ended:
            return path.exists()
        return stage == self.running and path.exists() and path.stat().st_mtime >= self.since - CLOCK_LAG_SECONDS


def while_running(stage: str, since: float) -> Sources:
    """Collects what a stage begun at ``since`` reads. Raises UsageError or DataError where it is not as recorded."""
    if stage == "train":
        prepared = dvc_lock.prepared()
        # While training nothing opens the test images, not even to name the run that they will measure.
        known = {path: digest for part in prepared.values() for path, digest in part.outs.items()}
        parts = {**prepared, "train": dvc_yaml.part_of("train"), "evaluate": dvc_yaml.part_of("evaluate", known=known)}
        return Sources(State.of(parts, runtime.installed_versions()), parts, frozenset(), stage, since)
    if stage == "evaluate":
        parts = dvc_lock.parts_of(dvc_lock.read()) | {"evaluate": dvc_yaml.part_of("evaluate")}
        return Sources(keys.state_of_trained(), parts, frozenset({"train"}), stage, since)
    recorded = of_lock()
    if not recorded.ended.issuperset(MAKING):
        raise DataError("; ".join(recorded.problems))
    parts = {**recorded.parts, stage: dvc_yaml.part_of(stage)}
    return Sources(recorded.state, parts, recorded.ended - {stage}, stage, since)


def of_lock() -> Sources:
    """Collects what dvc.lock records and the workspace still holds as recorded.

    Raises UsageError when there is no dvc.lock or it records no training, FormatError when it is no record, DataError
    when the training's outs are not there as recorded.
    """
    text = dvc_lock.read()
    parts = dvc_lock.parts_of(text)
    _check_proven(parts)
    changed = {stage: part.changed_outs() for stage, part in parts.items() if follows(stage, parts)}
    ended = {stage for stage, paths in changed.items() if not paths}
    if ended.issuperset(MAKING):
        now = keys.state_of_lock(text)
    else:
        now = keys.state_of_trained()
        parts["evaluate"] = dvc_yaml.part_of("evaluate")
        ended -= {"evaluate", "render"}
    stale = [f"{stage}: not run on these weights yet" for stage in ("evaluate", "render") if stage not in changed]
    differing = [f"{path}: not what {layout.LOCK} records" for paths in changed.values() for path in paths]
    return Sources(now, parts, frozenset(ended), problems=(*stale, *differing))


def follows(stage: str, recorded: Mapping[str, Part]) -> bool:
    """Whether what a stage's entry says it read is what the other entries say was written."""
    written = {path: digest for part in recorded.values() for path, digest in part.outs.items()}
    return stage in recorded and all(written.get(path, read) == read for path, read in recorded[stage].deps.items())


def _is_up_to_date(stage: str, recorded: Part) -> bool:
    """Whether nothing that a stage reads or wrote is other than recorded."""
    here = dvc_yaml.part_of(stage)
    deps = {path: here.deps.get(path) or digests.md5_of(Path(path)) for path in recorded.deps}
    is_same = (here.command, here.params, deps) == (recorded.command, recorded.params, recorded.deps)
    return is_same and here.deps.keys() <= deps.keys() and not recorded.changed_outs()


def skipped() -> dict[str, Part]:
    """Lists the stages after a training that has just ended which DVC will skip, so that nothing of them tells more."""
    with suppress(MnistganError):
        recorded = dvc_lock.parts_of(dvc_lock.read())
        found: dict[str, Part] = {}
        for stage in ("evaluate", "render"):
            if stage not in recorded or not _is_up_to_date(stage, recorded[stage]):
                break
            found[stage] = recorded[stage]
        return found
    return {}


def grids(folder: Path) -> Iterator[tuple[int, Path]]:
    for file in sorted(folder.glob(f"{GRID_PREFIX}*.png")):
        yield int(file.stem.removeprefix(GRID_PREFIX)), file


def _check_proven(parts: Mapping[str, Part]) -> None:
    """Raises FormatError where a stage's outs are known to come of other params, and not known to come of these."""
    witnesses = [*_committed(), *_cached(parts.values())]
    for stage, part in parts.items():
        contradictions = [_contradiction(part, known) for known in witnesses if known.outs == part.outs]
        if contradictions and all(contradictions):
            raise FormatError(
                f"{layout.LOCK}: not a record: {stage} has {contradictions[0]} of these very outs; "
                "nothing of it is published. Put it back with git, or run `make repro`"
            )


def _contradiction(part: Part, known: Part) -> str | None:
    """Words the first param that another record of the same outs has otherwise; None where there is none.

    A param that one of them lacks is none, nor is where the data came from, which changes no out.
    """
    here, there = (dict(reading.flatten(one.params, "")) for one in (part, known))
    for name in sorted(here.keys() & there.keys()):
        short = name.removeprefix(f"{layout.PARAMS}.")
        if here[name] != there[name] and not short.startswith(dvc_yaml.SOURCES):
            return f"{short}: {here[name]}, but git or DVC's run cache has {there[name]}"
    return None


def _committed() -> list[Part]:
    """Reads the parts of the commit's dvc.lock; none where there is none, or git can't be asked."""
    with suppress(GitError, FormatError, UnicodeDecodeError):
        text = git.blob("HEAD", layout.LOCK) or b""
        return list(dvc_lock.parts_of(text.decode()).values())
    return []


def _cached(parts: Iterable[Part]) -> Iterator[Part]:
    """Reads the run cache's entries that hold an out of one of these."""
    digests = {digest for part in parts for digest in list(part.outs.values())[:1] if digest}
    yield from dvc_lock.parts_of_runs(text for text in cache.runs() if any(digest in text for digest in digests))
