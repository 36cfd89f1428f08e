"""A folder of pictures becomes a data set of one's own: by the commands of docs/data.md, up to a report."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from ruamel.yaml import YAML

from mnistgan.datasets import idx
from mnistgan.datasets.fetching import raw
from tests.pipeline.cloning import Clone, clone

COUNT = 5000  # the fewest that are taken
RULERS = """
import sys
from pipeline import __main__
from mnistgan.evaluation import faults
faults.DOSES, faults.CONTROLS = (0.05, 0.2), {"real": faults.CONTROLS["real"]}  # no more than the verdict rests on
sys.argv = ["pipeline", "dataset", "rulers"]
__main__.main()
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def mine(tmp_path: Path, fashion_cache: Path) -> Clone:
    """A clone that is told of a folder of PNG without labels, made of Fashion-MNIST's test half, as its data set."""
    found = replace(clone(tmp_path / "clone", fashion_cache), tracking="off")
    folder = found.root / "images"
    folder.mkdir()
    images = idx.parse_images((fashion_cache / "fashion-mnist" / raw.TEST_IMAGES).read_bytes(), "images")
    for number, image in enumerate(images[:COUNT]):
        Image.fromarray(image).save(folder / f"{number:05}.png", compress_level=1)
    found.pipeline("dataset", "add", "plain", "--from", "images")
    yaml = YAML()
    document = yaml.load(found.root / "params.yaml")
    document["data"]["name"], document["prepare"]["validation_size"] = "plain", 1000
    yaml.dump(document, found.root / "params.yaml")
    return found


def test_pictures_without_labels_go_all_the_way_to_a_report(mine: Clone) -> None:
    assert "of pixels alone, for it has no classes; unit: floor" in mine.run(sys.executable, "-c", RULERS)
    mine.run("git", "add", "datasets", "pretrained", "params.yaml", "docs")
    mine.run("git", "commit", "-q", "-m", "our own images")
    told = mine.dvc("repro")
    assert "prepared plain: 3,000 train, 1,000 validation, 1,000 test images" in told
    found = json.loads((mine.root / "metrics/evaluation.json").read_text("utf-8"))
    assert found["fid"] == found["fid_pixels"]
    assert not found.keys() & {"classes", "classifier_score", "unsure", "fid_logits"}
    assert not (mine.root / "pictures/digits.png").exists()
    assert (mine.root / "pictures/metrics.png").exists()
    mine.run("git", "add", "dvc.lock", "metrics", "plots")
    mine.run("git", "commit", "-q", "-m", "trained on them")
    said = mine.pipeline("report", "HEAD", "HEAD", "--markdown", "-")
    assert "- note: the data has no classes" in said
