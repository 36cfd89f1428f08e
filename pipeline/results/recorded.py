"""Checks the committed record against itself and the files that are here, running nothing.

The record is dvc.lock, the small outs that git keeps, the pinned rulers and requirements.lock.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mnistgan import reading
from mnistgan.errors import DataError, GitError
from pipeline.dvcfiles import digests, dvc_lock, dvc_yaml, git, layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.dvcfiles.dvc_yaml import Declared
from pipeline.results import consistency, lookup
from pipeline.results.consistency import REPRO
from pipeline.runs import machine


@dataclass(frozen=True)
class Record:
    """A workspace's dvc.lock and dvc.yaml, read for checking."""

    workspace: Path
    parts: Mapping[str, Part]
    declared: Mapping[str, Declared]

    @classmethod
    def of(cls, workspace: Path = Path()) -> "Record":
        """Reads both. Raises UsageError where one is missing, FormatError where dvc.lock is torn."""
        return cls(workspace, dvc_lock.parts_of(dvc_lock.read(workspace)), dvc_yaml.declared(workspace))

    @property
    def machine(self) -> Path | None:
        """Path of the file that names the training's machine; None in a record from before there was one."""
        return self.parts["train"].options.get("machine") if "train" in self.parts else None

    @property
    def facts_of_machine(self) -> Mapping[str, str]:
        """Reads on what the training is recorded to have run; empty where that file is not here as recorded."""
        return machine.recorded_facts(self.parts.get("train"), lambda path: lookup.bytes_of(self.workspace / path))

    def findings(self, stages: Iterable[str]) -> list[str]:
        """Says what of these stages is not as recorded: what came, what was expected, how to mend it."""
        return [f"{stage}: {said}" for stage in stages for said in self._of_stage(stage)]

    def looked_at(self, stages: Iterable[str]) -> tuple[list[str], list[str]]:
        """Lists the files and folders of these stages that are here, so checked; and those that are not."""
        named = [path for stage in stages for path in (*self.parts[stage].deps, *self.parts[stage].outs)]
        here = {path: (self.workspace / path).exists() for path in named}
        return [path for path in here if here[path]], [path for path in here if not here[path]]

    def _of_stage(self, stage: str) -> Iterator[str]:
        if stage not in self.declared:
            yield f"{layout.LOCK} has an entry for it, {layout.PIPELINE} has no such stage; delete the entry"
            return
        if stage not in self.parts:
            yield f"{layout.PIPELINE} has this stage, {layout.LOCK} has no entry for it; {REPRO}"
            return
        part, declared = self.parts[stage], self.declared[stage]
        for file, said in _of_declaration(part, declared):
            yield f"{said}; {self._mend(file, REPRO)}"
        yield from self._of_deps(part)
        yield from self._of_outs(part, declared)
        yield from consistency.faults(part, self.workspace)
        yield from self._of_versions(part)

    def _of_deps(self, part: Part) -> Iterator[str]:
        written = {path: digest for other in self.parts.values() for path, digest in other.outs.items()}
        for path, read in part.deps.items():
            if written.get(path, read) != read:
                yield f"{path}: read as {read}, but recorded as an out with {written[path]}; {REPRO}"
            elif path not in written and (said := self._differing(path, read)):
                yield f"{said}; {self._mend(path, REPRO)}"
            elif path not in written and not (self.workspace / path).exists():
                yield f"{path}: no such file or folder; restore it with git"

    def _of_outs(self, part: Part, declared: Declared) -> Iterator[str]:
        for path, made in part.outs.items():
            if path in declared.in_git and not (self.workspace / path).exists():
                yield f"{path}: no such file; restore it with git"
            elif said := self._differing(path, made):
                mend = "restore it with git" if path in declared.in_git else "run `dvc checkout`"
                yield f"{said}; {self._mend(path, f'{mend}, or `dvc repro`')}"

    def _mend(self, path: str, otherwise: str) -> str:
        """Says what puts right a file that is not as recorded: git, where one of the two is not as committed."""
        with suppress(GitError):  # a record is held to its files without git too
            undoing = self._undoing(path)
            if not undoing and git.ask("ls-files", "--", path, folder=self.workspace):  # it is as committed
                undoing = self._undoing(str(layout.LOCK))
            if undoing:
                return f"{undoing}; where the change is meant, {otherwise}"
        return otherwise

    def _undoing(self, path: str) -> str:
        """Names the command that restores a path from the commit; empty where it is so, or git knows nothing of it."""

        def lines(*words: str) -> list[str]:
            return (git.ask(*words, "--", path, folder=self.workspace) or b"").decode("utf-8", "replace").splitlines()

        steps = []
        if changed := lines("status", "--porcelain", "--untracked-files=no"):
            staged = "--staged --worktree " if any(line[0] != " " for line in changed) else ""
            steps.append(f"`git restore {staged}{path}` puts back what is committed")
        if new := lines("ls-files", "--others", "--exclude-standard"):
            more = f" and {len(new) - 1} more" if len(new) > 1 else ""
            steps.append(f"remove {new[0]}{more}, which git does not track")
        return ", and ".join(steps)

    def _differing(self, path: str, expected: str) -> str | None:
        """Words for a file or folder that is there with other bytes than recorded."""
        place = self.workspace / path
        got = digests.md5_of(place, self.workspace) if place.exists() else expected
        return None if got == expected else f"{path}: MD5 {got}, {layout.LOCK} records {expected}"

    def _of_versions(self, part: Part) -> Iterator[str]:
        requirements = self.workspace / machine.REQUIREMENTS
        if "versions" not in part.options or not requirements.exists():
            return
        pinned = requirements.read_text("utf-8")
        if machine.versions_as_pinned(part, pinned) is not None:
            return
        try:
            known = machine.recorded_versions(part, self.workspace)
        except DataError:
            known = {}
        choices = machine.pinned_by(pinned)
        others = [
            f"{library} {version} (pinned: {' or '.join(choices.get(library, ['nothing']))})"
            for library, version in known.items()
            if version not in choices.get(library, [])
        ]
        what = ", ".join(others) or "other versions"
        path = part.options["versions"]
        yield f"{path}: trained on {what} than {machine.REQUIREMENTS} pins; run `make venv`, then `dvc repro`"


def _of_declaration(part: Part, declared: Declared) -> Iterator[tuple[str, str]]:
    """Finds where a stage is declared otherwise than recorded, each with the file that declares it."""
    pipeline = str(layout.PIPELINE)
    if part.command != declared.command:
        yield pipeline, f"{layout.LOCK} records the command {part.command!r}, {pipeline} has {declared.command!r}"
    for kind, recorded, wanted in (("deps", part.deps, declared.deps), ("outs", part.outs, declared.outs)):
        if missing := sorted(set(wanted) - set(recorded)):
            yield pipeline, f"{', '.join(missing)}: in {pipeline}'s {kind}, not in {layout.LOCK}"
        if idle := sorted(set(recorded) - set(wanted)):
            yield pipeline, f"{', '.join(idle)}: in {layout.LOCK}'s {kind}, not in {pipeline}"
    for file in sorted(part.params.keys() | declared.params.keys()):
        ran, given = (dict(reading.flatten(params.get(file, {}))) for params in (part.params, declared.params))
        for name in sorted(ran.keys() | given.keys()):
            got, expected = given.get(name, "nothing"), ran.get(name, "nothing")
            if got != expected or type(got) is not type(expected):
                yield file, f"{file}, {name}: {got!r}, {layout.LOCK} records {expected!r}"
