"""Made-up results with all that a report shows: curves, shares, samples, grids in DVC's cache, the classifier."""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mnistgan.drawing import grids
from mnistgan.metrics.looks import COLUMNS
from tests.pipeline.repository import Repository

ROOT = Path(__file__).resolve().parents[3]
VERSIONS = "models/versions.json"
LIBRARIES = {"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6"}
TRAINING = ("epoch", "step", "generator_loss", "discriminator_loss", "probability_real", "probability_fake")


def furnish(
    repository: Repository, seed: int, epochs: int, fid: float = 27.0, grid_seed: int = 0, **knobs: Any
) -> np.ndarray:
    """Record a run of so many epochs, with every file that a report reads. Returns its samples [256, 28, 28]."""
    rng = np.random.default_rng(seed)
    repository.record(fid, seed=seed, epochs=epochs, **knobs)
    root = repository.root
    (root / ".dvc").mkdir(exist_ok=True)
    (root / ".gitignore").write_text("/.dvc/\n")
    samples = digits(rng, 256)
    made = {
        "metrics/training.csv": table(TRAINING, [row(rng, step, len(TRAINING)) for step in range(1, 4 * epochs + 1)]),
        "metrics/looks.csv": table(COLUMNS, [row(rng, 4 * epoch, len(COLUMNS)) for epoch in range(1, epochs + 1)]),
        "metrics/classes.csv": table(("digit", "share", "prior"), shares(rng)),
        "plots/samples.png": png(sheet(samples)),
    }
    for path, content in made.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(content)
    (root / "pretrained" / "mnist").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "pretrained" / "mnist" / "classifier.npz", root / "pretrained" / "mnist" / "classifier.npz")
    pictures = {f"epoch_{epoch:04d}.png": png(grids.tile(digits(rng, 256), 16)) for epoch in range(epochs + 1)}
    outs = {path: md5(content) for path, content in made.items()}
    outs |= {"models/grids": cached_folder(root, pictures), VERSIONS: cached(root, json.dumps(LIBRARIES).encode())}
    add_to_lock(root, outs, grid_seed)
    return samples


def add_to_lock(root: Path, outs: Mapping[str, str], grid_seed: int) -> None:
    lock = json.loads((root / "dvc.lock").read_text())
    stages = lock["stages"]
    stages["render"] = {"cmd": "python", "outs": []}
    by_stage = {"metrics/classes.csv": "evaluate", "plots/samples.png": "render"}
    for path, digest in outs.items():
        stages[by_stage.get(path, "train")]["outs"].append({"path": path, "md5": digest})
    stages["train"]["cmd"] += f" --versions {VERSIONS}"
    ruler = (root / "pretrained" / "mnist" / "classifier.npz").read_bytes()
    stages["train"]["deps"].append({"path": "pretrained/mnist/classifier.npz", "md5": md5(ruler)})
    stages["train"]["params"]["params.yaml"]["train"]["grid_seed"] = grid_seed
    (root / "dvc.lock").write_text(json.dumps(lock))


def cached_folder(root: Path, files: Mapping[str, bytes]) -> str:
    """Put a folder where DVC's cache would have it. Returns its digest."""
    listing = [{"md5": cached(root, content), "relpath": name} for name, content in sorted(files.items())]
    return cached(root, json.dumps(listing, sort_keys=True).encode(), ".dir")


def cached(root: Path, content: bytes, suffix: str = "") -> str:
    digest = md5(content) + suffix
    place = root / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return digest


def digits(rng: np.random.Generator, count: int) -> np.ndarray:
    """Images [N, 28, 28] of the 16 greys that small pictures keep: a bar somewhere, with a little haze."""
    images = rng.integers(0, 2, (count, 28, 28)) * 17
    for image, at in zip(images, rng.integers(6, 20, count), strict=True):
        image[4:24, at : at + 3] = 255
    return images.astype(np.uint8)


def sheet(samples: np.ndarray, scale: int = 2) -> np.ndarray:
    """The picture of 16 by 16 samples as render lays it out, without its text: [H, W] uint8."""
    pitch, margin, head = 28 * scale + 2, 12 * scale, 30 * scale
    side = 16 * pitch - 2
    page = np.full((head + side + margin, side + 2 * margin), 255, np.uint8)
    for number, image in enumerate(samples):
        top, left = head + number // 16 * pitch, margin + number % 16 * pitch
        page[top : top + 28 * scale, left : left + 28 * scale] = image.repeat(scale, axis=0).repeat(scale, axis=1)
    return page


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def row(rng: np.random.Generator, step: int, length: int) -> list[float]:
    return [step / 4, step, *(round(float(value), 6) for value in rng.uniform(0.1, 3, length - 2))]


def shares(rng: np.random.Generator) -> list[list[float]]:
    drawn = rng.dirichlet(np.full(10, 400))
    return [[digit, round(float(share), 4), 0.1] for digit, share in enumerate(drawn)]


def table(columns: Sequence[str], rows: Sequence[Sequence[float]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([columns, *rows])
    return text.getvalue().encode()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
