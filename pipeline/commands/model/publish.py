"""Publishes the recorded generator in 16 bit, so that a clone draws digits without a training."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mnistgan.errors import FormatError, UsageError
from pipeline import console
from pipeline.dvcfiles import digests, dvc_lock, git, layout
from pipeline.runtime import load_tensorflow
from pipeline.stage import Verbose

if TYPE_CHECKING:
    import numpy as np

WEIGHTS = Path("models/final.npz")
DATA = "data/train.npz"
SAMPLES = 256
MOST = 4  # grey levels of 255


def publish(verbose: Verbose = False) -> None:
    """Publish the recorded generator in 16 bit, under published/.

    It takes models/final.npz, which must be what the last commit's dvc.lock records, and writes it with kernels in half
    the bits, and a card beside it: family, recipe, seed, data, the file that it comes of, the commit that recorded
    that, and how far 256 samples are from those of the full weights. The same record gives the same bytes. Commit both.
    """
    from mnistgan import files
    from pipeline.results import published

    part, commit, date = _recorded()
    with tempfile.TemporaryDirectory(prefix="mnistgan-") as folder:
        halved = Path(folder) / published.WEIGHTS
        files.write_arrays(halved, published.halve(files.read_arrays(WEIGHTS)))
        train = part.params["params.yaml"]["train"]
        card = {
            "sha256": files.sha256(halved),
            **{name: train[name] for name in ("family", "recipe", "seed")},
            "commit": commit,
            "date": date,
            "data": {DATA: part.deps[DATA]},
            "of": WEIGHTS.as_posix(),
            "md5": part.outs[WEIGHTS.as_posix()],
            "of_sha256": files.sha256(WEIGHTS),
            "bits": {"kernels": 16, "vectors": 32},
        }
        files.write_json(Path(folder) / published.CARD, card)
        made = published.read(Path(folder))
        made.widen(Path(folder) / WEIGHTS.name)
        load_tensorflow(verbose)
        apart = _apart(WEIGHTS, Path(folder) / WEIGHTS.name)
        if apart.max() > MOST:
            raise FormatError(f"{WEIGHTS}: in 16 bit a pixel is {apart.max()} of 255 levels off; takes {MOST} at most")
        card["parity"] = {
            "samples": SAMPLES,
            "largest_difference": int(apart.max()),
            "pixels_that_differ": round(float((apart > 0).mean()), 6),
            "unit": "grey levels of 255",
        }
        files.write_all({published.WEIGHTS: halved.read_bytes(), published.CARD: files.as_json(card)})
    console.summary(
        f"{made} in {published.WEIGHTS}: at most {apart.max()} of 255 grey levels from {WEIGHTS}; commit it"
    )


def _recorded() -> tuple[dvc_lock.Part, str, str]:
    """Finds training's record in the last commit, and the commit and day that it is from.

    Raises UsageError where there is none, or the weights here are others.
    """
    text = git.blob("HEAD", layout.LOCK) if git.commit("HEAD") else None
    part = dvc_lock.parts_of(text.decode("utf-8", "replace")).get("train") if text else None
    recorded = part.outs.get(WEIGHTS.as_posix()) if part else None
    if part is None or recorded is None:
        raise UsageError(f"HEAD: its {layout.LOCK} records no {WEIGHTS}; `make repro`, and commit what it gives")
    here = digests.md5_if_there(WEIGHTS)
    if here != recorded:
        raise UsageError(
            f"{WEIGHTS}: md5 is {here or 'none: no such file'}, the last commit's {layout.LOCK} records {recorded}; "
            f"`dvc checkout {WEIGHTS}`, or commit {layout.LOCK} first"
        )
    commit, _, date = git.line("log", "-1", f"-S{recorded}", "--format=%H %cs", "--", str(layout.LOCK)).partition(" ")
    return part, commit, date


def _apart(one: Path, other: Path) -> "np.ndarray":
    """Draws the same latents by two files' weights; how far each pixel of one is from the other's, in grey levels."""
    import numpy as np

    from mnistgan.families import sampling
    from mnistgan.families.contract import Ask
    from pipeline.results import datasets

    counts = datasets.of_workspace().counts
    drawn = [sampling.load(path, counts).images(Ask(SAMPLES)).astype(np.int16) for path in (one, other)]
    apart: np.ndarray = np.abs(drawn[0] - drawn[1])
    return apart
