"""Finds the weights that a command draws by, a file's, a commit's or a run's, and what is known of them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistgan import reading
from mnistgan.errors import GitError, UsageError
from pipeline.dvcfiles import cache, digests, dvc_lock, dvc_yaml, git, layout
from pipeline.results import former, history

if TYPE_CHECKING:
    from mnistgan.comparison.figures import Figures
    from mnistgan.datasets.contract import DataSet
    from pipeline.results.history import Recorded
    from pipeline.results.published import Published

WEIGHTS = Path("models/final.npz")
Weights = Annotated[
    Path | None, typer.Option(help=f"A weights file (.npz); by default {WEIGHTS}, else the published ones.")
]
Rev = Annotated[
    str | None, typer.Option(help="A git commit, branch, tag or DVC experiment: its weights, from DVC's cache.")
]
Run = Annotated[str | None, typer.Option(help="An MLflow run's id or name: the weights it holds.")]


def check(weights: Path | None, rev: str | None, run: str | None) -> None:
    """Raises UsageError where more than one is named, or none is and there are no weights here."""
    given = [option for option, value in (("--weights", weights), ("--rev", rev), ("--run", run)) if value is not None]
    if len(given) > 1:
        raise UsageError(f"got {' and '.join(given)}; give one of them")
    if given and weights is None:
        return
    try:
        reading.demand_plain(weights or WEIGHTS, UsageError)
    except FileNotFoundError as error:
        from pipeline.results import published

        if weights is not None:
            raise UsageError(f"--weights {weights}: no such file") from error
        if not published.CARD.is_file():
            raise UsageError(
                f"{WEIGHTS}: no such file, nor {published.CARD}; train first (`make repro`), "
                "or give --weights, --rev or --run"
            ) from error


@dataclass(frozen=True)
class Origin:
    """A file of weights to draw by."""

    path: Path
    digest: str  # sha256 of the file that a person has: of the published one, which is widened first, its own
    dataset: "DataSet"
    md5: str  # of the file that training wrote
    named: str = ""

    def __str__(self) -> str:
        return self.named or f"generator {self.digest[:12]}"

    @cached_property
    def record(self) -> "Recorded | None":
        """Finds the text of dvc.lock, here or in the history, that records these weights."""
        with suppress(GitError):
            return next((one for one in history.records() if self.md5 in _trained(one).outs.values()), None)
        return None

    def facts(self) -> dict[str, Any]:
        """Collects what a file that draws by them says of itself; what isn't known is empty."""
        from mnistgan.files import read_arrays
        from pipeline.results import datasets

        params = dvc_yaml.flat_params(part.params for part in self.record.parts.values()) if self.record else {}
        commits = self.record.commits if self.record else ()
        return {
            "family": str(read_arrays(self.path)["kind"]),
            "recipe": params.get("train.recipe", ""),
            "seed": params.get("train.seed", ""),
            "data": datasets.name_of(params) if params else "",
            "weights": self.digest,
            "commit": commits[-1].id if commits else "",
        }

    def figures(self) -> "Figures | None":
        """Reads the metrics/evaluation.json that is recorded of them; None where none is, or it is not to be had."""
        from mnistgan.comparison.figures import Figures

        report = self.record.read_json("evaluate", "metrics") if self.record else {}
        return Figures.of(former.evaluation(report), str(layout.METRICS)) if report else None


def _trained(record: "Recorded") -> dvc_lock.Part:
    return record.parts.get("train") or dvc_lock.Part({}, {}, {}, {})


@contextmanager
def opened(weights: Path | None, rev: str | None, run: str | None) -> Iterator[Origin]:
    """Yields the weights for the block; what is fetched is removed after it."""
    from mnistgan import files
    from pipeline.results import datasets, published

    with tempfile.TemporaryDirectory(prefix="mnistgan-") as name:
        folder = Path(name)
        found: Path | Published
        if rev is not None:
            found, dataset = _of_commit(rev, folder), datasets.of_commit(rev)
        elif run is not None:
            from pipeline.tracking.reading import download_generator

            found, params = download_generator(run, folder)
            dataset = datasets.of_params(params)
        else:
            found = weights or (WEIGHTS if WEIGHTS.exists() else published.read())
            dataset = datasets.of_workspace()
        if isinstance(found, Path):
            yield Origin(found, files.sha256(found), dataset, digests.md5_of(found))
        else:
            found.widen(folder / WEIGHTS.name)
            yield Origin(folder / WEIGHTS.name, found.card["sha256"], dataset, found.card["md5"], str(found))


def _of_commit(rev: str, folder: Path) -> "Path | Published":
    """Finds a commit's weights in DVC's cache, its remote, or as it publishes them. Raises UsageError without any."""
    from pipeline.results import published

    commit = git.find_commit(rev)
    if commit is None:
        raise UsageError(f"--rev {rev}: no commit, branch, tag or DVC experiment here; {git.how_to_fetch()}")
    outs = history.outs_at(commit)
    path = next((path for path in former.paths(WEIGHTS) if path.as_posix() in outs), WEIGHTS)
    recorded = outs.get(path.as_posix(), "none")
    here = cache.place(recorded)
    if here.is_file():
        return here
    try:
        return _by_dvc(rev, commit, path, folder)
    except UsageError:
        found = published.read_at(commit, folder)
        if found is None or found.card["md5"] != recorded:
            raise
        return found


def _by_dvc(rev: str, commit: str, weights: Path, folder: Path) -> Path:
    """Fetches them by DVC itself. Raises UsageError where it can't."""
    import dvc.api
    from dvc.exceptions import DvcException, PathMissingError
    from dvc.scm import SCMError

    path = folder / weights.name
    whole, here = git.place()
    try:
        path.write_bytes(dvc.api.read((here / weights).as_posix(), repo=str(whole), rev=commit, mode="rb"))
    except PathMissingError as error:
        raise UsageError(
            f"--rev {rev}: {weights} of that commit is neither in this clone's DVC cache nor in its remote; "
            "check the commit out and run `make repro`, or give --run or --weights"
        ) from error
    except (DvcException, SCMError, ImportError, OSError) as error:  # ImportError: the remote's kind takes a package
        raise UsageError(f"--rev {rev}: {weights} of that commit can't be had: {error}") from error
    return path
