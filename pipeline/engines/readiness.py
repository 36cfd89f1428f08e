"""Refuses an experiment that DVC could not queue, or would lose at its end."""

import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from mnistgan.errors import GitError, UsageError
from pipeline import console
from pipeline.dvcfiles import git, layout

CODE = ("pipeline", "src", "datasets", "pretrained", "recipes", "params.yaml", "dvc.yaml")
"""What stages run on: of these the queue carries what git tracks."""


def check_ready() -> None:
    """Raises UsageError where DVC could not queue the workspace, or would queue another one than it is."""
    if not git.is_repository():
        raise UsageError(f"experiments are commits, and {git.how_to_fetch()}")
    if git.commit("HEAD") is None:
        raise UsageError(
            "nothing is committed here, and an experiment stands on a commit; run `git add --all`, then `git commit`"
        )
    check_history()
    unknown = [name for name in ("name", "email") if not _identity(name)]
    if unknown:
        commands = " and ".join(f'`git config user.{name} "..."`' for name in unknown)
        raise UsageError(f"git does not know your {' and '.join(unknown)}, and experiments are commits; run {commands}")
    if paths := git.line("ls-files", "--others", "--exclude-standard", "--", *CODE).splitlines():
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        raise UsageError(
            f"{', '.join(paths[:3])}{more}: git does not track it, so DVC's queue would leave it out; `git add` it, or "
            "move it away"
        )
    if git.is_dirty():
        console.say("the tree differs from its commit; the experiments are queued with these changes")


def check_history(root: Path = Path()) -> None:
    """Raises UsageError where DVC would lose an experiment that runs in a folder of its own, as those of the queue do.

    It fetches the code to there and the result from there, and can do neither where history is missing.
    """
    check_place(root)
    if git.is_shallow(root):
        raise UsageError(f"DVC would lose the experiment at its end: {git.how_to_fetch()}")
    if git.is_partial(root):
        raise UsageError(
            "this clone is partial, and DVC can't run an experiment in it: run `git config --unset "
            "remote.origin.partialclonefilter`, then `git fetch --refetch`"
        )


def check_place(root: Path) -> None:
    """Raises UsageError where DVC would lose an experiment of its queue or of ``--temp`` by what this path is called.

    It pastes the path into a URL and a config file, unescaped.
    """
    path = str(root.resolve())
    if not path.isascii() or not path.isprintable() or set(path) & set("?#{}") or unquote(path) != path:
        raise UsageError(
            f"{path!r}: DVC brings no experiment of its queue or of --temp back to this path: rename the folder, to "
            "letters without accents and no ?, #, {, } or escape like %20; `dvc repro` works in it as it is"
        )


def check_own_folder() -> None:
    """Does the same as :func:`check_history`, for a stage that runs in its experiment's own folder."""
    root = layout.main_root()
    if "DVC_EXP_NAME" in os.environ and root != Path().resolve():
        with suppress(GitError):  # DVC itself, which asks no program, came as far as this
            check_history(root)


def _identity(name: str) -> bool:
    """Whether DVC finds a committer's name or email."""
    if os.environ.get(f"GIT_COMMITTER_{name.upper()}"):
        return True
    return bool(git.line("config", f"user.{name}"))
