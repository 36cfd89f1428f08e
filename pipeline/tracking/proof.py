"""Checks a dvc.lock against what vouches for it: the commit's own, and DVC's run cache.

A file that git or DVC did not write may say anything. That its digests are those of the files is looked at elsewhere;
here, that nobody changed a param beside them. What neither git nor the run cache knows, as in a clone of weights that
were pulled without a commit, can't be proven, and is believed.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from textwrap import indent

from mnistgan import reading
from mnistgan.errors import FormatError, GitError
from pipeline.dvcfiles import cache, dvc_lock, git, layout, params_yaml
from pipeline.dvcfiles.dvc_lock import Part


def check(parts: Mapping[str, Part]) -> None:
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
    """Finds the first param that a record of the same outs has otherwise; a param that one of them lacks is none, nor
    is where the data came from, which changes no out."""
    here, there = (dict(reading.flatten(one.params, "")) for one in (part, known))
    for name in sorted(here.keys() & there.keys()):
        short = name.removeprefix(f"{layout.PARAMS}.")
        if here[name] != there[name] and not short.startswith(params_yaml.SOURCES):
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
    for file in (cache.folder(layout.main_root()) / "runs").glob("*/*/*"):
        with suppress(OSError, UnicodeDecodeError, FormatError):
            text = file.read_text("utf-8")
            if any(digest in text for digest in digests):
                head = f"schema: '{dvc_lock.SCHEMA}'\nstages:\n  cached:\n"
                yield from dvc_lock.parts_of(head + indent(text, "    ")).values()
