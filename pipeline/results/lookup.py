"""Finds the results that a name means (commit, experiment, file, run or workspace), read for comparison.

Git's are read by git's own plumbing and DVC's experiments as the refs that they are: no library has to be loaded, and
nothing has to be checked out.
"""

import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mnistgan import families, reading
from mnistgan.comparison.seeds import SeedRow
from mnistgan.comparison.sides import Side, Trained
from mnistgan.errors import DataError, GitError, RulerError, UsageError
from pipeline.dvcfiles import git, layout
from pipeline.dvcfiles.layout import MACHINE, METRICS, SEEDS
from pipeline.results import checkout
from pipeline.results.checkout import Results
from pipeline.runs import machine

WORKSPACE = "workspace"
LARGEST = 100_000_000  # bytes of a file of a result; a picture or a table has far fewer
RUN = "run:"
TAKEN = (
    "a git commit, branch or tag, a DVC experiment, REV:PATH, a metrics file (.json), a seeds file (.csv), a folder of "
    f"results, a folder or glob of metrics files, {RUN}ID of an MLflow run, `{WORKSPACE}`, or several of these joined "
    "by commas"
)

FilesOfRun = Callable[[str, Sequence[str]], Mapping[str, bytes]]
"""Fetches the files of an MLflow run, by its id or name: those of these paths that it holds."""


def read(text: str, files_of_run: FilesOfRun | None = None) -> Results:
    """Reads the results that ``text`` names. Raises UsageError, DataError or FormatError where it names none."""
    parts = [part.strip() for part in ([text] if _exists(text) else text.split(","))]
    return _group(text, [found for part in parts for found in _named(part, files_of_run)])


def everywhere() -> Iterator[Results]:
    """Reads the results, where there are any, of the workspace, the last commit and every DVC experiment, by name."""
    others = sorted((name, commit) for name, commit, _ in git.experiments())
    head = git.find_commit("HEAD")
    for name, commit in [(WORKSPACE, None), *([("HEAD", head)] if head else []), *others]:
        with suppress(DataError, RulerError):
            yield checkout.of_place(name, bytes_of) if commit is None else _of_commit(name, commit)


def recorded_seeds(*sides: Results) -> list[SeedRow]:
    """Collects the seeds that the sides or the workspace record: of each recipe, the record with the most seeds.

    Two records of a recipe are never mixed: another commit's may be of other code. Of equals the first counts.
    """
    here = checkout.seeds_of(str(SEEDS), reading.content(SEEDS)) if SEEDS.is_file() else []
    fullest: dict[str, list[SeedRow]] = {}
    for record in (*(side.seeds for side in sides), here):
        for digest in dict.fromkeys(row.digest for row in record):
            rows = [row for row in record if row.digest == digest]
            fullest[digest] = max(fullest.get(digest, []), rows, key=len)
    return [row for rows in fullest.values() for row in rows]


def _named(text: str, files_of_run: FilesOfRun | None) -> list[Results]:
    if not text:
        raise UsageError(f"got an empty name; takes {TAKEN}")
    if text == WORKSPACE:
        return [checkout.of_place(text, bytes_of)]
    if text.startswith(RUN):
        return [_of_run(text, files_of_run)]
    path, commit = Path(text), _commit_beside(text)
    if commit is not None and _exists(text) and not text.startswith((".", "/")):
        raise UsageError(
            f"{text}: both a file and a commit; write ./{text} for the file, refs/heads/{text} for a branch"
        )
    if _exists(text) and path.is_dir():
        return _of_folder(path)
    if _exists(text):
        return _of_file(text, reading.content(path))
    if commit is not None:
        return [_of_commit(text, commit)]
    if glob.has_magic(text):
        return _of_files(text, sorted(glob.glob(text, recursive=True)))  # noqa: PTH207 - Path's takes no absolute pattern
    return _of_path_in_commit(text)


def _commit_beside(text: str) -> str | None:
    """Does the same as :func:`git.find_commit`, except that a file needs no git."""
    try:
        return git.find_commit(text)
    except GitError:
        if _exists(text):
            return None
        raise


def _exists(text: str) -> bool:
    return os.path.exists(text)  # noqa: PTH110 - Path's raises where a long list of names makes no file's name


def _of_commit(name: str, commit: str) -> Results:
    return checkout.of_place(name, lambda wanted: git.blob(commit, wanted), commit)


def bytes_of(path: Path) -> bytes | None:
    """Reads a file's bytes, within bounds; None where there is none."""
    return reading.content(path, LARGEST) if path.is_file() else None


def _of_folder(folder: Path) -> list[Results]:
    if _is_checkout(folder):
        return [checkout.of_place(str(folder), lambda wanted: bytes_of(folder / wanted))]
    if members := [each for each in sorted(folder.iterdir()) if _is_checkout(each)]:
        return [found for member in members for found in _of_folder(member)]
    found = sorted(folder.glob("*.json")) or sorted(folder.rglob(METRICS.name))
    return _of_files(f"{folder}/*.json", [str(path) for path in found])


def _is_checkout(folder: Path) -> bool:
    return (folder / layout.LOCK).is_file() or (folder / METRICS).is_file()


def _of_files(pattern: str, paths: Sequence[str]) -> list[Results]:
    if not paths:
        raise UsageError(f"{pattern}: no such file")
    return [found for path in paths for found in _of_file(path, reading.content(Path(path)))]


def _of_path_in_commit(text: str) -> list[Results]:
    rev, _, path = text.partition(":")
    commit = git.find_commit(rev) if path else None
    if commit is None:
        raise UsageError(
            f"{text}: neither a file nor a commit, branch, tag or DVC experiment of this repository; "
            f"{git.how_to_fetch()}; takes {TAKEN}"
        )
    content = git.blob(commit, Path(path))
    if content is None:
        raise UsageError(f"{text}: {rev} has no {path}")
    return _of_file(text, content)


def _of_file(name: str, content: bytes) -> list[Results]:
    """Reads a metrics file's figures, or a seeds file's: one of each seed, all of one recipe."""
    if not name.endswith(".csv"):
        return [Results(Side(name, (Trained(name, checkout.figures_of(name, content)),)))]
    rows = checkout.seeds_of(name, content)
    recipes = sorted({row.digest for row in rows})
    if len(recipes) != 1:
        raise UsageError(f"{name}: holds seeds of {len(recipes)} recipes ({', '.join(recipes)}); a group is of one")
    members = tuple(Trained(f"{name}, seed {row.seed}", row.figures) for row in rows)
    return [Results(Side(name, members, recipes[0]), seeds=tuple(rows))]


def _of_run(text: str, files_of_run: FilesOfRun | None) -> Results:
    if files_of_run is None:
        raise UsageError(f"{text}: no run of MLflow can be read here")
    recipes = map(families.recipes_file, families.names())
    places = [*map(str, (METRICS, SEEDS, MACHINE, layout.LOCK, layout.PARAMS)), *recipes]
    held = files_of_run(text.removeprefix(RUN), places)
    return checkout.of_place(text, lambda wanted: held.get(str(wanted)))


def _group(name: str, found: Sequence[Results]) -> Results:
    """Joins several results as one side: the first one's causes, with what varies among them written out."""
    if len(found) == 1:
        return replace(found[0], side=replace(found[0].side, name=name))
    recipes = {one.side.recipe for one in found}
    varying = _varying(found)
    knobs = [key for key in varying if key.startswith("recipe.")]
    known = [name for name in machine.FACTS if all(name in one.machine for one in found)]
    notes = [note for one in found for note in one.notes]
    if len({tuple(one.machine.values()) for one in found}) > 1:
        notes.append(f"{name}: its members ran on different machines, so their bytes do not compare")
    if knobs:
        notes.append(f"{name}: its members differ in {', '.join(knobs)}, not in the seed alone")
    return Results(
        side=Side(
            name, tuple(m for one in found for m in one.side.members), recipes.pop() if len(recipes) == 1 else None
        ),
        params={**found[0].params, **varying},
        data=found[0].data,
        code=found[0].code,
        machine={name: ", ".join(dict.fromkeys(one.machine[name] for one in found)) for name in known},
        seeds=tuple(row for one in found for row in one.seeds),
        notes=tuple(notes),
        doubts=tuple(doubt for one in found for doubt in one.doubts),
    )


def _varying(found: Sequence[Results]) -> dict[str, str]:
    recorded = [one.params for one in found if one.recorded]
    names = dict.fromkeys(name for params in recorded for name in params)
    values = {name: list(dict.fromkeys(str(params.get(name)) for params in recorded)) for name in names}
    return {name: ", ".join(distinct) for name, distinct in values.items() if len(distinct) > 1}
