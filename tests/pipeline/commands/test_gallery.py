from pathlib import Path

import pytest

from mnistgan.errors import UsageError
from pipeline.commands.gallery import gallery
from pipeline.results.rows import RUNS
from tests.rows import make


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_holds_every_recipe_its_pictures_and_figures_and_asks_for_nothing(folder: Path) -> None:
    for seed in range(3):
        make(folder / RUNS, "mnist/dcgan-fast", seed, 2.0 + 0.1 * seed)
    make(folder / RUNS, "mnist/gan-fast", 0, 20.0)
    gallery(Path("gallery.html"))
    gallery(Path("gallery.html"))  # over its own
    text = (folder / "gallery.html").read_text("utf-8")
    assert 'id="mnist-dcgan-fast"' in text
    assert 'id="mnist-gan-fast"' in text
    assert text.count("data:image/png;base64,") == 2 * (1 + 4)  # a training and four walks each
    assert "0.113 (" in text
    assert "http" not in text.replace("http-equiv", "")
    assert "gan fast: relative FID 1.07 after 10 minutes, labels in the loss" in text


def test_a_recipe_of_which_every_seed_collapsed_has_a_card_and_no_place_in_the_chart(folder: Path) -> None:
    make(folder / RUNS, "mnist/gan-fast", 0, 900.0, repetition={"value": 0.9})
    make(folder / RUNS, "mnist/vae-fast", 0, 20.0)
    gallery(Path("gallery.html"))
    text = (folder / "gallery.html").read_text("utf-8")
    assert text.index('id="mnist-vae-fast"') < text.index('id="mnist-gan-fast"')
    assert text.count("<circle") == 1
    assert "1 seed, 1 collapsed" in text
    assert ">NaN<" not in text


def test_a_file_of_a_persons_own_is_not_replaced(folder: Path) -> None:
    make(folder / RUNS, "mnist/gan-fast", 0, 20.0)
    (folder / "mine.html").write_text("mine")
    with pytest.raises(UsageError, match="no such command wrote"):
        gallery(Path("mine.html"))


def test_without_any_row_it_says_what_makes_one() -> None:
    with pytest.raises(UsageError, match="make leaderboard"):
        gallery(Path("gallery.html"))
