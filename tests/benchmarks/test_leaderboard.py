import csv
import shutil
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import ROOT, leaderboard
from benchmarks.ending import BenchmarkError
from benchmarks.rows import LOOKS, Entry, entries
from mnistgan import families, params
from mnistgan.errors import FormatError
from pipeline.results.rows import RUNS
from tests.rows import asked, make

FAST = Entry(data="mnist", family="dcgan", recipe="fast", seeds=2)
GAN = Entry(data="mnist", family="gan", recipe="fast", seeds=2)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with the page's marks and rows of two recipes."""
    for seed in (0, 1):
        folders = (
            make(tmp_path / RUNS, "mnist/dcgan-fast", seed, 2.0 + 0.01 * seed),
            make(tmp_path / RUNS, "mnist/gan-fast", seed, 20.0 + 0.1 * seed, as_asked=asked(0.9)),
        )
        for folder in folders:
            shutil.copyfile(ROOT / RUNS / f"fast_{seed}.csv", folder / LOOKS)
    page = tmp_path / leaderboard.PAGE
    page.parent.mkdir()
    page.write_text("".join(f"{begin}{end}" for begin, end in map(leaderboard.marks, ("table", "pairs"))))
    return tmp_path


def test_every_line_of_the_list_names_a_recipe_that_there_is() -> None:
    assert params.load(ROOT / "params.yaml").train.family == entries()[0].family  # what others are compared with
    for entry in entries():
        assert f"\n{entry.recipe}:\n" in params.text_of(ROOT / families.recipes_file(entry.family))


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
        entries(path)


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
    assert (second["seeds"], second["labels"], second["as asked"][:3]) == ("2 seeds", "asked for", "0.9")
    with Image.open(repository / leaderboard.WALL) as wall:
        assert wall.height > 4 * 56  # two rows of each


def test_recipes_on_two_data_sets_stand_on_one_page_and_are_not_compared(repository: Path) -> None:
    clothes = Entry(data="fashion-mnist", family="dcgan", recipe="fast", seeds=2)
    for seed in (0, 1):
        folder = make(repository / RUNS, "fashion-mnist/dcgan-fast", seed, 30.0 + 0.1 * seed)
        shutil.copyfile(ROOT / RUNS / f"fast_{seed}.csv", folder / LOOKS)
    leaderboard.page([FAST, clothes], repository)
    text = (repository / leaderboard.PAGE).read_text()
    assert "| dcgan fast on fashion-mnist" in text
    assert "better (" not in text
    assert "worse (" not in text


def test_a_row_of_other_code_is_marked_and_kept(repository: Path) -> None:
    leaderboard.page([FAST], repository)
    assert "dcgan fast |" in (repository / leaderboard.PAGE).read_text()
    lock = FAST.folder(repository / RUNS) / "0" / "dvc.lock"
    held = lock.read_text()
    start = held.index("path: src/mnistgan/nn\n")
    digest = held[start:].partition("md5: ")[2][:32]
    lock.write_text(held.replace(digest, "f" * 32))
    leaderboard.page([FAST], repository)
    assert r"dcgan fast \* |" in (repository / leaderboard.PAGE).read_text()


def test_without_any_row_the_page_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="make leaderboard"):
        leaderboard.page([FAST], tmp_path)
