"""Reads and writes benchmarks/results.json: every figure with its spread, and the measurement it is of.

A measurement is one run of `make bench` or `make bench-full`: when, on which machine, at which commit. A figure that a
measurement left out keeps what it was, and says by which one; a measurement that no figure is of any more is dropped.
"""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.spread import Spread
from mnistgan.errors import FormatError
from mnistgan.files import read_json
from pipeline import runtime
from pipeline.dvcfiles import git

RESULTS = ROOT / "benchmarks" / "results.json"
MEASUREMENTS = "measurements"
KEYS = {
    "step_ratio_vs_article": "images/s of the default recipe's step over the article's (float32), at its batch size",
    "step_ratio_vs_article_at_256": "images/s of the article recipe's step over the article's loop, at batch 256",
    "step_ratio_vs_pytorch": "images/s of the default recipe's step over PyTorch's (float32), at its batch size",
    "step_ratio_vs_pytorch_at_256": "images/s of the article recipe's step over PyTorch's, at batch 256",
    "step_ratio_vs_float32": "images/s of the default recipe's step, at its precision, over itself in float32",
    "step_ratio_not_deterministic": "images/s of the default recipe's step over itself without op determinism",
    "images_per_second": "of the default recipe's step",
    "images_per_second_article": "of the article's loop, at batch 256",
    "article_seconds": "of training by the article's recipe, by our step",
    "article_loop_seconds": "of the article's 50 epochs by its own loop, steps alone",
    "article_quality": "where the article's recipe ends: relative FID on validation, median of the last five",
    "seconds_to_article_quality": "of training by the default recipe until all looks stay below that; a run a round",
    "speedup_to_article_quality": "article_seconds over seconds_to_article_quality",
    "tracking_share": "of a whole default training: publishing, checkpoints, looks and pictures",
    "tracking_share_one_epoch": "the same of one epoch, which bears what starting and ending cost",
    "look_s": "one look at validation",
    "grid_s": "one grid of the fixed latents",
    "checkpoint_s": "one checkpoint",
    "help_s": "`python -m pipeline --help`",
    "noop_repro_s": "`dvc repro` with nothing to do",
    "prepare_s": "the stage prepare, files in the user's cache",
    "evaluate_s": "the stage evaluate",
    "render_s": "the stage render",
    "peak_rss_mib": "the training process's largest memory",
    "publishing_rss_mib": "that of the process that publishes beside it",
}
"""What each figure is."""
ARTICLE_IMAGES = 50 * 60_000

Figures = Mapping[str, Spread]


@dataclass(frozen=True)
class Measurement:
    """When, by what and on which machine figures were measured."""

    time: str
    """ISO 8601, UTC."""
    command: str
    commit: str | None
    dirty: bool | None
    processor: str
    cores: int
    memory_gib: float
    load: float
    """The machine's load average over the minute before: well above 0, something else ran beside."""
    python: str
    tensorflow: str
    keras: str
    numpy: str
    torch: str | None

    @classmethod
    def begin(cls, command: str, torch_python: Path) -> "Measurement":
        """Describes this machine, now; ``torch_python`` is the interpreter that may have PyTorch."""
        return cls(
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command,
            commit=git.commit("HEAD", ROOT),
            dirty=git.is_dirty(ROOT),
            processor=runtime.cpu_model(),
            cores=len(os.sched_getaffinity(0)),
            memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            load=round(os.getloadavg()[0], 2),
            python=platform.python_version(),
            **runtime.installed_versions(),
            torch=_version_in(torch_python, "torch"),
        )


def _version_in(python: Path, package: str) -> str | None:
    """The version of a package that an environment holds, by the name of its folder; None where there is none."""
    found = sorted(python.parent.parent.glob(f"lib/python*/site-packages/{package}-*.dist-info"))
    return found[0].name.removeprefix(f"{package}-").removesuffix(".dist-info") if found else None


def merged(before: Mapping[str, Any], measurement: Measurement, figures: Figures) -> dict[str, Any]:
    """Merges a measurement's figures into the file's; those of the others stay as they are."""
    kept = {key: value for key, value in before.items() if key in KEYS}
    made = {key: {**figure.as_json(), "measurement": measurement.time} for key, figure in figures.items()}
    together = kept | made
    facts = {key: value for key, value in asdict(measurement).items() if key != "time"}
    measurements = {**before.get(MEASUREMENTS, {}), measurement.time: facts}
    used = {figure["measurement"] for figure in together.values()}
    return {
        MEASUREMENTS: {time: told for time, told in sorted(measurements.items()) if time in used},
        **{key: together[key] for key in KEYS if key in together},
    }


def read(path: Path = RESULTS) -> dict[str, Any]:
    """Reads the file; nothing where it is not there yet. Raises FormatError where it is something else."""
    if not path.exists():
        return {}
    found = read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get(MEASUREMENTS), dict):
        raise FormatError(f"{path}: not what `make bench` writes; restore it with git, or delete it")
    for key in KEYS.keys() & found.keys():
        if found[key].get("measurement") not in found[MEASUREMENTS]:
            raise FormatError(f"{path}: {key} is of a measurement that it does not tell of; restore it with git")
    return found


def table(held: Mapping[str, Any]) -> str:
    """Formats all figures as Markdown, with when each was measured."""
    lines = ["| figure | median | minimum | maximum | rounds | measured |", "|---|---|---|---|---|---|"]
    for key, told in KEYS.items():
        if key in held:
            figure = held[key]
            values = " | ".join(str(figure[name]) for name in ("median", "minimum", "maximum", "rounds"))
            lines.append(f"| `{key}`: {told} | {values} | {figure['measurement'][:10]} |")
    return "\n".join(lines)


def missing(held: Mapping[str, Any]) -> list[str]:
    """Lists the figures that no measurement has yet."""
    return [key for key in KEYS if key not in held]
