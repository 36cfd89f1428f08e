"""Compares the working tree with its commit, but for dvc.lock and what the stages write."""

from pathlib import Path

from pipeline.dvcfiles import dvc_yaml, git
from pipeline.dvcfiles.layout import LOCK


def commit(workspace: Path = Path()) -> str | None:
    """Names the commit that the workspace stands on; None outside a git repository or before its first commit.

    Raises GitError.
    """
    return git.commit("HEAD", workspace)


def is_dirty(workspace: Path = Path()) -> bool | None:
    """Whether anything but dvc.lock and the stages' outs differs from the commit; None outside a git repository.

    Raises GitError.
    """
    changed = git.ask("status", "--porcelain", "--", ".", *outs_excluded(workspace), folder=workspace)
    return None if changed is None else bool(changed)


def outs_excluded(workspace: Path) -> list[str]:
    """Words for a git command that leave out dvc.lock and the stages' outs."""
    return [f":(exclude){path}" for path in (LOCK, *dvc_yaml.outs(workspace))]
