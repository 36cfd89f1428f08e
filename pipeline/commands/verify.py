"""Checks whether what dvc.lock records comes out again, to the bit."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from mnistgan.errors import DataError, DifferenceError, Interrupted, UsageError
from pipeline import console, runtime
from pipeline.dvcfiles import cache, digests, layout
from pipeline.results.history import Recorded
from pipeline.results.recorded import Record
from pipeline.runs import journal, machine
from pipeline.runs.journal import Kind
from pipeline.tracking import observing

COMMAND = ["exec", "python", "-m", "pipeline"]
CODE = ("pipeline", "src", "recipes")
FRESH = {"train": "--fresh"}  # what makes a stage start from nothing
MACHINE_INDEPENDENT = ("prepare",)
"""Stages that compute nothing in floating point: their bytes are the same on every machine."""

Stage = Literal["prepare", "train", "evaluate", "render"]


def verify(
    stage: Annotated[Stage | None, typer.Argument(help="Only this stage, on the inputs that are recorded.")] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Run nothing: check the record against itself and the files, in 2 seconds.")
    ] = False,
) -> None:
    """Run the stages again and compare every byte with dvc.lock.

    They run in a scratch folder, from nothing. Ends with 0 where the bytes are the same; with 0 and a warning where
    they differ, but the processor, what it can train at or a library does too and the metrics' intervals overlap; with
    1 where something else differs, and says by how much.

    First, and with --fast alone: dvc.lock against dvc.yaml and params.yaml, the code and files that are there
    against its digests, the rulers against their cards, the metrics' pins against the rulers, the training's
    library versions against requirements.lock.
    """
    record = Record.of()
    stages = [stage] if stage else list(dict.fromkeys([*record.declared, *record.parts]))
    if not stages:
        raise DataError(f"{layout.PIPELINE}, {layout.LOCK}: no stages, so nothing to look at; restore both with git")
    if found := record.findings(stages):
        raise DifferenceError(_listed("not as recorded", found))
    if fast:
        here, away = record.looked_at(stages)
        told = f"{layout.LOCK} agrees with what is here: {', '.join(stages)}; {len(here)} files and folders looked at"
        console.summary(f"{told}, {len(away)} not here: {', '.join(away)}" if away else told)
        return
    with tempfile.TemporaryDirectory(prefix="mnistgan-verify-") as folder:
        scratch = _Scratch(Path(folder).resolve(), record, stages)
        scratch.fill()
        for name in stages:
            scratch.run(name)
        compared = {name: scratch.compare(name) for name in stages}
        differing = {name: paths for name, paths in compared.items() if any(paths.values())}
        machine = _machine_differences(record, stages, scratch.facts_of_machine())
        if not differing:
            count = sum(len(paths) for paths in compared.values())
            told = f"the same bytes: {', '.join(stages)} made again, {count} outs as {layout.LOCK} records"
            console.summary("; ".join([told, *machine]))
            return
        _judge(differing, scratch.metrics(), machine)


@dataclass(frozen=True)
class _Scratch:
    """A folder with the code and params of the workspace and nothing else of it: no checkpoint, no store, no git."""

    root: Path
    record: Record
    stages: Sequence[str]

    def fill(self) -> None:
        """Copies the code, and those inputs that none of the stages makes. Raises DataError where one is not here."""
        (self.root / ".dvc").mkdir()
        for name in CODE:
            shutil.copytree(name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for file in (layout.PARAMS, layout.PIPELINE, layout.LOCK, layout.IGNORED):
            if file.exists():
                shutil.copyfile(file, self.root / file)
        made = {path for stage in self.stages for path in self.record.parts[stage].outs}
        needed = {path: read for stage in self.stages for path, read in self.record.parts[stage].deps.items()}
        for path, read in sorted(needed.items()):  # a folder before the files in it that another stage names
            if path not in made and not (self.root / path).exists():
                cache.bring(path, read, self.root / path)

    def run(self, stage: str) -> None:
        """Runs a stage. Raises DataError where it fails."""
        words = shlex.split(self.record.declared[stage].command)
        if words[:5] != [*COMMAND, stage]:
            raise UsageError(f"{layout.PIPELINE}, {stage}: the command should begin with {' '.join([*COMMAND, stage])}")
        command = [sys.executable, *words[2:], *([FRESH[stage]] if stage in FRESH else [])]
        console.say(f"{stage}: made again in {self.root}")
        done = subprocess.run(  # noqa: S603 - dvc.yaml's own words, and no shell reads them
            command, cwd=self.root, env=self._environment, stdout=sys.stderr, check=False
        )
        if done.returncode == Interrupted.exit_code:
            raise KeyboardInterrupt
        if done.returncode:
            raise DataError(f"{stage}: ended with exit code {done.returncode} when made again; see above")

    @property
    def _environment(self) -> dict[str, str]:
        """The environment for a stage: DVC_ROOT, where checkpoints, journals and the store go, is here."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
        return {**inherited, "DVC_ROOT": str(self.root), observing.SWITCH: "off"}

    def compare(self, stage: str) -> dict[str, list[str]]:
        """Compares a stage's outs, by path; nothing is said where the bytes are the same.

        The file that names the machine is left out: it says why, and is no result.
        """
        outs, machine = self.record.parts[stage].outs, self.record.machine
        return {path: self._compare(path, made) for path, made in outs.items() if Path(path) != machine}

    def _compare(self, path: str, expected: str) -> list[str]:
        if not (self.root / path).exists():
            return ["not made now"]
        got = digests.md5_of(self.root / path, self.root)
        if got == expected:
            return []
        try:
            before = self._recorded(path)
        except DataError:
            return [f"MD5 {got}, recorded {expected}; the recorded bytes are not here to be compared"]
        from pipeline.results.differing import differences

        return differences(before, self.root / path) or [f"MD5 {got}, recorded {expected}"]

    def _recorded(self, path: str) -> Path:
        digests = {path: made for part in self.record.parts.values() for path, made in part.outs.items()}
        place = self.root / ".recorded" / path
        cache.bring(path, digests[path], place)
        return place

    def facts_of_machine(self) -> Mapping[str, str]:
        """Reads on what machine the training was made again; empty where it was not."""
        from mnistgan.files import read_json

        path = self.record.machine
        return machine.facts(read_json(self.root / path)) if path and "train" in self.stages else {}

    def metrics(self) -> list[str] | None:
        """Lists the metrics outside their intervals; None where that can't be told."""
        from mnistgan.files import read_json
        from pipeline.results.differing import outside_their_intervals

        if "evaluate" not in self.stages:
            return None
        path = self.record.parts["evaluate"].options["metrics"]
        try:
            before = read_json(self._recorded(str(path)))
            return outside_their_intervals(before, read_json(self.root / path))
        except DataError:
            return None


def _judge(
    differing: Mapping[str, Mapping[str, Sequence[str]]], outside: Sequence[str] | None, machine: Sequence[str]
) -> None:
    """Warns where another machine explains it all. Raises DifferenceError where it does not."""
    lines: list[str] = []
    for path, found in (item for paths in differing.values() for item in paths.items()):
        lines += [f"{path}: {said}" for said in found] if len(found) < 2 else [f"{path}:", *(f"  {s}" for s in found)]
    names = ", ".join(differing)
    told = _listed(f"other bytes than {layout.LOCK} records: {names}", lines)
    excusable = machine and outside == [] and not set(differing) & set(MACHINE_INDEPENDENT)
    if excusable:
        console.warn(f"{told}\n{_listed('made on another machine or other libraries', machine)}")
        console.summary(f"other bytes in {names}, as another machine makes them; every metric within its interval")
        return
    if not machine:
        told += "\nno other processor, precision or library is known to have made the record"
        if outside == []:
            told += "; every metric is within its interval, as it would be if one had"
    if outside:
        told += "\n" + _listed("metrics outside their intervals", outside)
    if machine:
        told += "\n" + _listed("another machine or other libraries", machine)
        if outside is None:
            told += "\n`python -m pipeline verify`, all stages, says whether the metrics agree within their intervals"
    raise DifferenceError(told)


def _machine_differences(record: Record, stages: Sequence[str], trained_on: Mapping[str, str]) -> list[str]:
    """Lists where this machine and its libraries differ from the record's, as far as is known.

    ``trained_on`` is what the training said when it was made again: at which precision is known no sooner.
    """
    before, here = Recorded("", record.parts, (), in_workspace=True), runtime.installed_versions()
    found = [
        f"{library}: {version} when it was recorded, {here[library]} here"
        for library, version in before.versions.items()
        if here.get(library) != version
    ]
    processors, now = _processors(before, stages), runtime.cpu_model()
    found += [f"processor of {name}: {cpu} when it was recorded, {now} here" for name, cpu in processors if cpu != now]
    for name in ("precision", "device"):
        was, got = (facts.get(name) for facts in (record.facts_of_machine, trained_on))
        if was and got and was != got:
            found.append(f"{name} of train: {was} when it was recorded, {got} here")
    return found


def _processors(before: Recorded, stages: Sequence[str]) -> list[tuple[str, str]]:
    """Processor of each of these stages, where known: of train by the record, else by the journals here.

    Where it is known of none of them, that of train, on which they will have run too.
    """
    root, keys = layout.main_root(), (before.state.train_key, before.state.run_key) if before.state else ()
    events = [event for key in keys for event in journal.read(journal.path_of(root, key))]
    starts = [event for event in events if event.kind is Kind.START and "cpu" in event.facts]
    told = {event.stage: str(event.facts["cpu"]) for event in starts}
    trained = {"train": before.processor} if before.processor else {}
    known = {stage: cpu for stage, cpu in (told | trained).items() if stage in stages}
    return list((known or trained).items())


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n  ".join([f"{title}:", *lines])
