"""Finds DVC's experiments among git's refs, and the commit that any name means."""

import re

from mnistgan.errors import UsageError
from pipeline.dvcfiles import git

_REF = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/(.+)")


def commit_of(revision: str) -> str | None:
    """Finds the id of a commit, branch, tag or experiment; None where there is no such thing.

    Raises UsageError where several experiments have this name, GitError where git can't be asked.
    """
    if commit := git.commit(revision):
        return commit
    refs = {ref: commit for name, commit, ref in experiments() if name == revision}
    if len(set(refs.values())) > 1:
        raise UsageError(f"{revision}: experiments of several commits have this name; give one of {', '.join(refs)}")
    return next(iter(refs.values()), None)


def experiments() -> list[tuple[str, str, str]]:
    """Lists DVC's experiments: name, commit and ref of each."""
    lines = (git.line("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps") or "").splitlines()
    refs = (line.partition(" ")[::2] for line in lines)
    return [(found, commit, ref) for commit, ref in refs if (found := name_of(ref))]


def name_of(ref: str) -> str | None:
    """The name of the experiment that a ref is; None for any other ref."""
    found = _REF.fullmatch(ref)
    return found[1] if found else None
