"""Names the files that make a repository of this project, and finds its root."""

import os
import shlex
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from mnistgan.errors import UsageError

LOCK = Path("dvc.lock")
PIPELINE = Path("dvc.yaml")
PARAMS = Path("params.yaml")
IGNORED = Path(".dvcignore")
METRICS = Path("metrics/evaluation.json")
MACHINE = Path("metrics/machine.json")
SEEDS = Path("metrics/seeds.csv")


def main_root(start: Path | None = None) -> Path:
    """Finds the main repository's root, absolute.

    DVC hands it to a stage as DVC_ROOT; for an experiment that runs in a folder of its own it is the parent's root,
    the only place that outlives the experiment. Else the nearest folder upwards with a ``.dvc``, else ``start``.
    """
    if given := os.environ.get("DVC_ROOT"):
        return Path(given).resolve()
    here = (start or Path()).resolve()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)


@contextmanager
def standing_in(checkout: Path, root: Path) -> Iterator[None]:
    """Works in another checkout of the project, as an experiment does: cache, journals and store are the root's."""
    before = os.environ.get("DVC_ROOT")
    os.environ["DVC_ROOT"] = str(root)
    try:
        with chdir(checkout):
            yield
    finally:
        del os.environ["DVC_ROOT"]
        if before is not None:
            os.environ["DVC_ROOT"] = before


def check_at_root() -> None:
    """Raises UsageError where this is a folder below the root of a repository of DVC's, and none itself."""
    here, root = Path().resolve(), main_root()
    if "DVC_ROOT" not in os.environ and root != here and (root / PIPELINE).is_file() and not PIPELINE.is_file():
        raise UsageError(f"run it from the repository's root: `cd {shlex.quote(str(root))}`")
