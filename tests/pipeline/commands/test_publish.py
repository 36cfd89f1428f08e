"""The published generator: what it is made of, and that a clone draws by it and DVC finds it."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from mnistgan import files
from mnistgan.errors import DataError, FormatError, UsageError
from pipeline import ROOT
from pipeline.commands.generate import generate
from pipeline.commands.model.publish import publish
from pipeline.dvcfiles import digests
from pipeline.origins import WEIGHTS
from pipeline.results import published
from tests.pipeline.repository import Repository


def record(made: Repository, weights: Path) -> None:
    made.record(weights=digests.md5_of(weights))
    (made.root / WEIGHTS).parent.mkdir(exist_ok=True)
    shutil.copy(weights, made.root / WEIGHTS)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, generator: Path) -> Repository:
    """A repository that recorded weights (tag `recorded`), published them (`out`), and recorded others (`later`)."""
    from dvc.repo import Repo

    made = Repository(tmp_path_factory.mktemp("origin"))
    made.git("init", "--quiet", "--initial-branch=main")
    Repo.init(made.root).close()
    dvc_yaml = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))
    (made.root / "dvc.yaml").write_text(json.dumps({"stages": {}, "artifacts": dvc_yaml["artifacts"]}))
    (made.root / ".gitignore").write_text("/models/\n")
    shutil.copytree(ROOT / "datasets", made.root / "datasets")
    record(made, generator)
    made.commit("recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.root)
        publish()
    made.commit("out")
    made.git("tag", "--annotate", "digits@v0.1.0", "--message", "first")
    made.record(weights="others")
    made.commit("later")
    return made


@pytest.fixture
def clone(origin: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A fresh clone, which has no weights but the published; the current folder."""
    made = Repository(tmp_path / "clone")
    origin.git("clone", "--quiet", str(origin.root), str(made.root))
    monkeypatch.chdir(made.root)
    return made


def test_the_card_names_the_published_bytes_and_all_that_they_come_of(origin: Repository, generator: Path) -> None:
    card = published.read(origin.root).card
    assert card["sha256"] == files.sha256(origin.root / published.WEIGHTS)
    assert (card["family"], card["recipe"], card["seed"]) == ("dcgan", "fast", 0)
    assert (card["of_sha256"], card["md5"]) == (files.sha256(generator), digests.md5_of(generator))
    assert card["commit"] == origin.git("rev-parse", "recorded")


def test_kernels_have_half_the_bits_and_draw_what_the_full_weights_draw(origin: Repository, generator: Path) -> None:
    full, half = files.read_arrays(generator), files.read_arrays(origin.root / published.WEIGHTS)
    assert {name: a.dtype for name, a in half.items() if a.ndim < 2} == {
        n: a.dtype for n, a in full.items() if a.ndim < 2
    }
    assert (origin.root / published.WEIGHTS).stat().st_size < 0.55 * generator.stat().st_size
    assert published.read(origin.root).card["parity"]["largest_difference"] <= 1


def test_a_kernel_beyond_the_range_of_16_bit_is_refused() -> None:
    with pytest.raises(FormatError, match="conv/kernel: has values that 16 bit can't hold"):
        published.halve({"conv/kernel": np.full((2, 2), 1e5, np.float32)})


def test_publishing_again_gives_the_same_bytes_and_other_weights_than_the_commits_are_refused(
    clone: Repository, generator: Path
) -> None:
    before = {path: path.read_bytes() for path in (published.WEIGHTS, published.CARD)}
    clone.git("checkout", "--quiet", "out")
    WEIGHTS.parent.mkdir()
    shutil.copy(generator, WEIGHTS)
    publish()
    assert {path: path.read_bytes() for path in before} == before
    clone.git("checkout", "--quiet", "later")
    with pytest.raises(UsageError, match=r"models/final.npz: md5 is \w+, the last commit's dvc.lock records \w+"):
        publish()
    clone.git("rm", "--quiet", "dvc.lock")
    clone.commit()
    with pytest.raises(UsageError, match=r"HEAD: its dvc.lock records no models/final.npz"):
        publish()


def test_a_clone_draws_by_the_published_generator_and_says_so(
    clone: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(Path("digits.png"), count=4)
    commit, digest = clone.git("rev-parse", "recorded"), files.sha256(published.WEIGHTS)
    said = f"the published generator {digest[:12]} (dcgan fast, seed 0, of commit {commit[:12]})"
    assert capsys.readouterr().out == f"drew 4 images from seed 0 into digits.png; {said}\n"
    with Image.open("digits.png") as picture:
        assert picture.info["generator-sha256"] == digest
    assert published.full(digest) == published.read().card["of_sha256"]


def test_weights_that_were_trained_here_go_before_the_published(clone: Repository, generator: Path) -> None:
    WEIGHTS.parent.mkdir()
    shutil.copy(generator, WEIGHTS)
    generate(Path("digits.png"), count=1)
    with Image.open("digits.png") as picture:
        assert picture.info["generator-sha256"] == files.sha256(generator)


def test_of_a_commit_the_published_are_taken_where_they_are_of_its_state(
    clone: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(Path("digits.png"), count=1, rev="out")
    assert "the published generator" in capsys.readouterr().out
    for rev in ("recorded", "later"):  # none there yet; of another state
        with pytest.raises(UsageError, match=f"--rev {rev}: models/final.npz of that commit is neither"):
            generate(Path("digits.png"), count=1, rev=rev)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (published.WEIGHTS, b"other", "published/generator.npz: sha256 is"),
        (published.CARD, b"{}", "published/generator.json: should hold sha256, family"),
    ],
)
def test_published_weights_that_are_not_as_their_card_says_draw_nothing(
    clone: Repository, path: Path, content: bytes, message: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{re.escape(message)}.*restore published/ from git"):
        generate(Path("digits.png"), count=1)


def test_dvc_finds_them_by_path_and_as_an_artifact_without_a_remote(origin: Repository, tmp_path: Path) -> None:
    from dvc.repo import Repo
    from dvc.repo.artifacts import Artifacts

    Repo.get(str(origin.root), str(published.WEIGHTS), out=str(tmp_path / "path.npz"))
    Artifacts.get(str(origin.root), "digits", out=str(tmp_path / "artifact.npz"))
    wanted = (origin.root / published.WEIGHTS).read_bytes()
    assert [(tmp_path / name).read_bytes() == wanted for name in ("path.npz", "artifact.npz")] == [True, True]
