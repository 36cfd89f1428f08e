"""Tries every place that a command writes to before the work, and names all bad ones at once.

Nothing is left where one was tried. What is there is replaced only as an earlier result, so a place is refused too that
ends otherwise than what goes there, that the command reads or names twice, that dvc.yaml declares for another option
or command, or that git tracks; but for an option's own place, which dvc.yaml or a default names. Any other is free.
"""

import inspect
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec, get_args, get_type_hints

from mnistgan.errors import MnistganError, UsageError
from pipeline.dvcfiles import dvc_yaml, git, layout

P = ParamSpec("P")
PROBE = bytes(4096)  # a block: a full disk takes an empty file


@dataclass(frozen=True)
class Out:
    """Marks an option as a place to write to: a file of this ending or, as ``folder``, many of them."""

    ending: str  # empty for a file of any
    folder: bool = False
    own: Path | None = None  # the place that is the option's beside what dvc.yaml has for it
    whole: bool = False  # the folder is replaced as one, so it may hold nothing else
    grows: bool = False
    """The command adds to what is there, and refuses by itself what is none of its own; git may track it."""


def tried(*kept: Callable[[], Path]) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Wraps a command so that it first tries the place of each option that is annotated with an :class:`Out`.

    ``kept`` give folders that it writes to beside them.
    """

    def decorate(command: Callable[P, None]) -> Callable[P, None]:
        @wraps(command)
        def trying(*arguments: P.args, **options: P.kwargs) -> None:
            hints = get_type_hints(command, include_extras=True)
            outs = {name: mark for name, hint in hints.items() for mark in get_args(hint) if isinstance(mark, Out)}
            bound = inspect.signature(command).bind(*arguments, **options)
            bound.apply_defaults()
            given = {name: value for name, value in bound.arguments.items() if isinstance(value, Path)}
            written = {name: (given.pop(name), out) for name, out in outs.items()}
            demand(written, read=given, kept=[folder() for folder in kept], stage=command.__name__)
            command(*arguments, **options)

        return trying

    return decorate


def demand(
    written: Mapping[str, tuple[Path, Out]],
    read: Mapping[str, Path] | None = None,
    kept: Sequence[Path] = (),
    stage: str = "",
) -> None:
    """Raises UsageError, which names every bad one, unless a command may write to all these places.

    ``written`` and ``read`` are what its options name, ``kept`` folders of which it has no option; of a ``stage``
    dvc.yaml names the places.
    """
    declared, others = _declared(stage)
    taken = {_real(path): f"is read, as --{option}" for option, path in (read or {}).items()}
    problems = [f"{folder}: {why}" for folder in kept if (why := refused(folder, Out("", folder=True)))]
    for option, (path, out) in written.items():
        own = {_real(place) for place in (out.own, declared.get(option)) if place}
        why = refused(path, out) or taken.get(_real(path)) or _among(path, out, written)
        if not why and _real(path) not in own:
            why = _owned(path, out, others)
        taken.setdefault(_real(path), f"is --{option}'s too")
        problems += [f"--{option} {path}: {why}"] if why else []
    if problems:
        raise UsageError("\n  ".join([f"can't write there: {problems[0]}", *problems[1:]]))


def _declared(stage: str) -> tuple[Mapping[str, Path], Sequence[Path]]:
    """Reads a stage's options from dvc.yaml's line, and every stage's outs; nothing where there is none."""
    with suppress(MnistganError):
        outs = [*map(Path, dvc_yaml.outs()), layout.SEEDS]
        with suppress(KeyError):  # no stage
            return dvc_yaml.options(stage), outs
        return {}, outs
    return {}, []


def _real(path: Path) -> Path:
    """Resolves links on the way, and not one at the end, since that is what is replaced: one name for a place."""
    return Path(os.path.realpath(path.parent), path.name) if path.name not in ("", "..") else path.resolve()


def refused(path: Path, out: Out) -> str | None:
    """Says why nothing can be written there; None where it can."""
    if not out.folder and out.ending and path.suffix.lower() != out.ending:
        return f"should end in {out.ending}"
    due = "a folder" if out.folder else "a file"
    folders = (path, *path.parents) if out.folder else path.parents
    there = next(filter(os.path.lexists, folders), Path())
    try:
        if os.path.lexists(path) and _what(path) != due:
            return f"is {_what(path)}; should be {due}"
        if out.whole and (others := [file.name for file in path.glob("*") if file.suffix != out.ending]):
            return f"holds {others[0]}, which no earlier call wrote; name another folder"
        if _what(there) != "a folder":
            return f"{there} is {_what(there)}; should be a folder"
        _probe(path, there)
    except OSError as error:
        return f"{error.strerror or error}, in {there}"
    return None


def _what(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    if path.is_file():
        return "a file"
    if path.is_symlink() and not path.exists():
        return f"a link to {path.readlink()}, where nothing is"
    return "no plain file" if path.exists() else "gone"


def _probe(path: Path, there: Path) -> None:
    """Raises OSError where ``path``'s name is too long, or ``there``, the folder that exists, takes no file."""
    rest = path.relative_to(there)
    beside = f".{path.name}.{'_' * 8}{path.suffix}"  # as mnistgan.files.replacing names what it writes
    for name in (*rest.parts, str(rest), beside):
        with suppress(FileNotFoundError):
            os.lstat(there / name)
    with tempfile.TemporaryFile(dir=there, buffering=0) as file:
        file.write(PROBE)


def _among(path: Path, out: Out, written: Mapping[str, tuple[Path, Out]]) -> str | None:
    """Says why a file can't lie in a folder that the same command fills with such files; None where it doesn't."""
    for option, (folder, other) in written.items():
        if other.folder and other.ending == out.ending and _real(path).parent == _real(folder):
            return f"lies in --{option}, whose files may have that name; name a place outside of it"
    return None


def _owned(path: Path, out: Out, others: Sequence[Path]) -> str | None:
    """Says what else writes to a place, or that git tracks it; None where it is free."""
    for other in others:
        if _real(path).is_relative_to(_real(other)):
            return f"belongs to {other}, which another option or command writes; name another place"
    if not out.grows and os.path.lexists(path) and _is_tracked(path):
        return "is tracked by git; name another place, or remove it first"
    return None


def _is_tracked(path: Path) -> bool:
    """Whether git tracks the file, or one in the folder."""
    folder, name = (path, ".") if path.is_dir() else (path.parent, path.name)
    with suppress(MnistganError):  # without a git to ask, nothing is known to be tracked
        return bool(git.ask("--literal-pathspecs", "ls-files", "--", name, folder=folder))
    return False
