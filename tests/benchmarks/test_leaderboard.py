"""The leaderboard's rows and page, made of the committed record in place of trainings."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import ROOT, leaderboard, rows
from benchmarks.ending import BenchmarkError
from benchmarks.rows import Entry
from mnistgan import families, params
from mnistgan.errors import DataError, FormatError

FAST = Entry(data="mnist", family="dcgan", recipe="fast", seeds=2)
GAN = Entry(data="mnist", family="gan", recipe="fast", seeds=2)


def row(runs: Path, entry: Entry, seed: int, fid: float, **more: float) -> Path:
    """The committed record as a row, with another FID."""
    folder = entry.folder(runs) / str(seed)
    for name in ("params.yaml", "recipes/dcgan.yaml", "metrics/machine.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    lock = (ROOT / "dvc.lock").read_text()  # other weights, as of another seed: those of both recipes differ
    weights = lock.partition("path: models/final.npz\n")[2].partition("md5: ")[2][:32]
    other = {weights: f"f{round(100 * fid):031d}", "        seed: 0\n": f"        seed: {round(100 * fid)}\n"}
    for before, after in other.items():
        assert before in lock
        lock = lock.replace(before, after)
    (folder / "dvc.lock").write_text(lock)
    report = json.loads((ROOT / "metrics" / "evaluation.json").read_text())
    report["fid"]["value"] = fid
    (folder / "metrics" / "evaluation.json").write_text(json.dumps({**report, **more}))
    shutil.copyfile(ROOT / "benchmarks" / "runs" / f"fast_{seed}.csv", folder / rows.RUN)
    (folder / rows.FACTS).write_text(json.dumps({"commit": "0" * 40}))
    Image.new("L", (280, 280)).save(folder / rows.SAMPLES)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with the page's marks and rows of two recipes."""
    runs = tmp_path / rows.RUNS
    for seed in (0, 1):
        row(runs, FAST, seed, 2.0 + 0.01 * seed)
        row(runs, GAN, seed, 20.0 + 0.1 * seed, as_asked={"value": 0.9, "low": 0.89, "high": 0.91})
    page = tmp_path / leaderboard.PAGE
    page.parent.mkdir()
    page.write_text("".join(f"{begin}{end}" for begin, end in map(leaderboard.marks, ("table", "pairs"))))
    return tmp_path


def test_every_line_of_the_list_names_a_recipe_that_there_is() -> None:
    known = params.load(ROOT / "params.yaml", every_family=True)
    assert known.train.family == rows.entries()[0].family  # the default is what the others are compared with
    for entry in rows.entries():
        held = params.text_of(ROOT / families.recipes_file(entry.family))
        assert f"\n{entry.recipe}:\n" in held


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {data: mnist, family: gan, recipe: fast}", "Field required"),
        ("- {data: mnist, family: gan, recipe: fast, seeds: 0}", "greater than or equal to 1"),
        ("- {data: mnist, family: gan, recipe: fast, seeds: 1}\n" * 2, "names a recipe twice"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(text)
    with pytest.raises(FormatError, match=said):
        rows.entries(path)


def test_a_row_tells_its_minutes_and_what_it_makes_of_labels(repository: Path) -> None:
    fast, gan = (entry.rows(repository / rows.RUNS) for entry in (FAST, GAN))
    assert [one.labels for one in (fast[0], gan[0])] == ["in the loss", "asked for"]
    assert round(fast[0].minutes, 1) == 13.7  # by its last look
    assert len(fast[0].commit) == 40


def test_a_row_without_its_looks_is_refused_by_name(repository: Path) -> None:
    (FAST.folder(repository / rows.RUNS) / "1" / rows.RUN).unlink()
    with pytest.raises(DataError, match=r"fast/1/run\.csv"):
        FAST.rows(repository / rows.RUNS)


def test_the_page_holds_each_recipe_what_is_missing_and_what_diff_says(repository: Path) -> None:
    best = Entry(data="mnist", family="dcgan", recipe="best", seeds=1)
    leaderboard.page([FAST, GAN, best], repository)
    text = (repository / leaderboard.PAGE).read_text()
    assert "Not trained yet: dcgan best." in text
    assert "worse (+900.0% " in text  # 20 against 2, with its interval
    assert "better (-90.0% " in text
    with (repository / leaderboard.TABLE).open() as file:
        first, second = csv.DictReader(file)
    assert first["relative FID"].startswith("0.108 (")  # 2.005 over 18.65
    assert (second["seeds"], second["labels"], second["as asked"][:3]) == ("2", "asked for", "0.9")
    with Image.open(repository / leaderboard.WALL) as wall:
        assert wall.height > 4 * 56  # two rows of each


def test_a_row_of_other_code_is_marked_and_kept(repository: Path) -> None:
    leaderboard.page([FAST], repository)
    assert "dcgan fast |" in (repository / leaderboard.PAGE).read_text()
    lock = FAST.folder(repository / rows.RUNS) / "0" / "dvc.lock"
    held = lock.read_text()
    start = held.index("path: src/mnistgan/nn\n")
    digest = held[start:].partition("md5: ")[2][:32]
    lock.write_text(held.replace(digest, "f" * 32))
    leaderboard.page([FAST], repository)
    assert r"dcgan fast \* |" in (repository / leaderboard.PAGE).read_text()


def test_without_any_row_the_page_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="make leaderboard"):
        leaderboard.page([FAST], tmp_path)
