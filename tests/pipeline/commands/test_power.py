from pathlib import Path

import pytest

from mnistgan.comparison.seeds import dumps
from mnistgan.errors import UsageError
from pipeline.commands.seeds.power import BEGIN, END, power
from tests import committed
from tests.comparison.made_up import rows


def test_the_page_holds_what_the_command_makes_of_the_committed_seeds(tmp_path: Path) -> None:
    seeds, page = tmp_path / "seeds.csv", tmp_path / "comparing.md"
    seeds.write_text(committed.text("metrics/seeds.csv"))
    page.write_text(committed.text("docs/comparing.md"))
    power(seeds, into=page)
    assert page.read_text() == committed.text("docs/comparing.md")


@pytest.mark.parametrize(
    ("count", "text", "said"),
    [
        (2, f"{BEGIN}{END}", "holds no recipe of three"),
        (3, "no table\n", "has no lines"),
        (3, BEGIN, "has no lines"),
    ],
)
def test_too_few_seeds_and_a_page_without_a_place_are_refused(
    count: int, text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.commands.seeds.power.SIDES", (1,))
    seeds, page = tmp_path / "seeds.csv", tmp_path / "page.md"
    seeds.write_text(dumps(rows(count=count)))
    page.write_text(text)
    with pytest.raises(UsageError, match=said):
        power(seeds, into=page)
    assert page.read_text() == text
    with pytest.raises(UsageError, match="no such file"):
        power(tmp_path / "none.csv")
