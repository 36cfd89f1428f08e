"""Keeps as a patch how the tree differs from its commit, so that a run of a dirty tree can be made again."""

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mnistgan.errors import GitError, MnistganError
from pipeline import console
from pipeline.dvcfiles import dvc_yaml, git, layout
from pipeline.runs import journal

LIMIT_BYTES = 20_000_000
SECONDS = 5.0
CODE = ("pipeline", "src", "datasets", "recipes", "pretrained")
_DIFF = ("diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "-U3")
_PREFIXES = ("--src-prefix=a/", "--dst-prefix=b/")  # a person's own may be none


def path_of(root: Path, key: str) -> Path:
    """Path of a key's patch: beside its journal."""
    return root / journal.FOLDER / f"{key}.patch"


def keep(path: Path, workspace: Path = Path()) -> None:
    """Writes to ``path`` how the code differs from its commit; removes the one that is there where it does not.

    ``git apply`` of it, at the commit, gives the same code and params. Of files that git does not know, those that a
    stage depends on are in it, and what lies beside them in the code's folders. Whatever goes wrong is a warning.
    """
    try:
        is_dirty = git.is_dirty(workspace)
    except GitError:  # which the journal says
        return
    try:
        found = _patch(workspace) if is_dirty else b""
        if not found:  # clean, or dirty by files that no stage reads
            path.unlink(missing_ok=True)
            return
        if len(found) > LIMIT_BYTES:
            console.warn(f"the tree differs from its commit by {len(found):,} bytes; not kept as a patch")
            return
        if any(secret.encode() in found for secret in journal.known_secrets()):
            console.warn("the tree holds the tracking store's password or token; not kept as a patch")
            return
        from mnistgan.files import write_bytes

        write_bytes(path, found)
    except (OSError, MnistganError) as error:
        console.warn(f"{path}: what the tree holds beyond its commit is not kept: {error}")


def _patch(workspace: Path) -> bytes:
    """Makes a patch of every difference from the commit, by an index of its own: the person's is left alone."""
    excluded = git.outs_excluded(workspace)
    with tempfile.TemporaryDirectory(prefix="mnistgan-") as folder:
        index = Path(folder) / "index"
        ask = partial(git.run, folder=workspace, variables={"GIT_INDEX_FILE": str(index)}, seconds=SECONDS)
        theirs = workspace / os.fsdecode(git.run("rev-parse", "--git-path", "index", folder=workspace)).strip()
        if theirs.is_file():
            shutil.copyfile(theirs, index)
        else:
            ask("read-tree", "HEAD")
        if unknown := _unknown(workspace, ask, excluded):
            ask("--literal-pathspecs", "add", "--intent-to-add", "--", *unknown)
        return ask(*_DIFF, *_PREFIXES, "HEAD", "--", ".", *excluded)


def _unknown(workspace: Path, ask: Callable[..., bytes], excluded: list[str]) -> list[str]:
    """Lists files of code and params that git neither tracks nor ignores."""
    deps = [path for declared in dvc_yaml.declared(workspace).values() for path in declared.deps]
    places = sorted({*deps, *CODE, str(layout.PARAMS), str(layout.PIPELINE)})
    listed = ask("ls-files", "--others", "--exclude-standard", "-z", "--", *places, *excluded)
    return [name for name in os.fsdecode(listed).split("\0") if name]
