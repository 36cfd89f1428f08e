"""Logs pictures for the slider of MLflow's pages, each step once, although MLflow gives their files random names.

MLflow 3.17's ``log_image`` writes a picture twice, ``images/KEY+step+STEP+...png`` and ``...+compressed.webp``, the
rest of the name random. So what is there is found by key and step, and what may be half there is written over.
"""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import PIL.Image

from pipeline.tracking.connection import GRID, Connection
from pipeline.tracking.holdings import Holdings

FOLDER = "images"
STRIP = "samples.png"
ROWS_SHOWN, ROWS = 3, 16
"""Rows of the last grid that a run's description shows: MLflow folds away what is higher than three."""
_FILE = re.compile(rf"{FOLDER}/(?P<stem>{GRID}\+step\+(?P<step>\d+)\+.*?)(?:\+compressed\.webp|\.png)")


def name_of(step: int) -> str:
    return f"{FOLDER}/{GRID} at step {step}"


def stems(paths: Iterable[str]) -> dict[int, str]:
    """Finds the file stem that MLflow gave the picture of each step, among a run's files."""
    names = map(_FILE.fullmatch, paths)
    return {int(found["step"]): found["stem"] for found in names if found}


def log(at: Connection, run_id: str, step: int, file: Path, stem: str | None) -> None:
    """Logs a step's picture; over its half-written self where one is there under ``stem``."""
    from mlflow.tracking.multimedia import compress_image_size

    with PIL.Image.open(file) as image:
        image.load()
    if stem is None:
        at.client.log_image(run_id, image, key=GRID, step=step, synchronous=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, drawn in zip(_files(stem), (image, compress_image_size(image)), strict=True):
            copy = Path(folder) / Path(name).name
            drawn.save(copy)
            at.client.log_artifact(run_id, str(copy), FOLDER)
    at.client.set_tag(run_id, "mlflow.loggedImages", "True")


def strip(grid: Path, folder: Path) -> Path:
    """Cuts the first rows of a grid into a picture that a run's description has room for; returns its file."""
    with PIL.Image.open(grid) as image:
        image.crop((0, 0, image.width, image.height * ROWS_SHOWN // ROWS)).save(folder / STRIP)
    return folder / STRIP


def is_whole(held: Holdings, stem: str | None, file: Path) -> bool:
    """Whether a picture is there with its small copy; where both lie on this machine, with the pixels of ``file``."""
    if stem is None or not all(held.sizes.get(name) for name in _files(stem)):
        return False
    if held.folder is None:
        return True
    large, small = (_pixels(held.folder / name) for name in _files(stem))
    return large == _pixels(file) and small is not None


def _files(stem: str) -> tuple[str, str]:
    return f"{FOLDER}/{stem}.png", f"{FOLDER}/{stem}+compressed.webp"


def _pixels(file: Path) -> bytes | None:
    """Reads a picture's pixels; None where it is torn."""
    try:
        with PIL.Image.open(file) as image:
            return image.tobytes()
    except (OSError, SyntaxError, ValueError):
        return None
