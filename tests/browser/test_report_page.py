"""The report as a person meets it: in a browser, on a phone, by keyboard, by a screen reader, in the dark."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.commands.report import report
from tests.comparison.made_up import seeds_around, write
from tests.drawing.report.furnished import furnish
from tests.pipeline.repository import Repository

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

PHONE, DESK = 360, 1280
SHOWN = "figures => figures.filter(figure => figure.offsetParent).map(figure => figure.innerText.trim())"
OVERFLOWING = """() => [...document.querySelectorAll("body *")].filter(each => {
  const room = each.parentElement.closest("section, header, footer");
  const place = each.getBoundingClientRect();
  const free = each.closest(".scrolls, .hidden, .skip, thead, .primary") || !room || !place.width;
  return !free && place.right > room.getBoundingClientRect().right + 1;
}).map(each => each.outerHTML.slice(0, 80))"""

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two reports: `two.html` of two trainings, with hostile names; `group.html` of a group and one."""
    made = Repository(tmp_path_factory.mktemp("furnished"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.root)
        patch.delenv("DVC_ROOT", raising=False)
        made.git("init", "--initial-branch=main")
        furnish(made, seed=0, epochs=4)
        made.commit("long")
        furnish(made, seed=1, epochs=2, fid=60.0, batch_size=256, kind="<b>bold</b>" + "unbroken" * 20)
        made.commit("a_very_long_name_of_a_branch_that_has_no_place_to_break_" + "x" * 60)
        for seed, fid in enumerate(seeds_around(27.0, 3)):
            write(Path("group") / f"{seed}.json", fid=fid)
        report("long", "a_very_long_name_of_a_branch_that_has_no_place_to_break_" + "x" * 60, out=Path("two.html"))
        report("group", "long", out=Path("group.html"))
    return made.root


@pytest.fixture
def load(browser: "Browser", reports: Path) -> Iterator[Open]:
    """Gives a page of a report, opened from disk; at the end, holds every page to having asked for nothing else."""
    asked: list[str] = []
    said: list[str] = []
    contexts = []

    def call(name: str = "two.html", width: int = DESK, **options: Any) -> "Page":
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((reports / name).as_uri())
        return page

    yield call
    for context in contexts:
        context.close()
    outside = [url for url in asked if not url.startswith(("data:", reports.as_uri()))]
    assert (outside, said) == ([], [])


@pytest.mark.parametrize("name", ["two.html", "group.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_axe_finds_no_violation(load: Open, name: str, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = load(name, width, color_scheme=scheme)
    page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("name", ["two.html", "group.html"])
@pytest.mark.parametrize("width", [PHONE, 700, 800, 1200, DESK])
def test_nothing_overflows_sideways(load: Open, name: str, width: int) -> None:
    page = load(name, width)
    page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERFLOWING) == []


def test_the_slider_moves_both_grids_by_keyboard(load: Open) -> None:
    page = load()
    slider = page.get_by_label("Moment of training")
    assert shown(page) == ["final weights", "final weights"]
    slider.focus()
    page.keyboard.press("Home")
    assert shown(page) == ["epoch 0", "epoch 0"]
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert shown(page) == ["epoch 3", "epoch 2 (its last)"]
    assert slider.get_attribute("aria-valuetext") == "epoch 3"
    page.keyboard.press("End")
    assert shown(page) == ["final weights", "final weights"]


def test_without_scripts_the_last_pictures_show_and_no_slider(load: Open) -> None:
    page = load(java_script_enabled=False)
    assert not page.get_by_label("Moment of training").is_visible()
    pictures = page.locator("#grids img")
    assert [pictures.nth(at).is_visible() for at in range(pictures.count())].count(True) == 2
    assert page.locator("#grid-a figure").last.is_visible()


def test_focus_walks_every_control_and_can_be_seen(load: Open) -> None:
    page = load()
    seen: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        tag = page.evaluate("document.activeElement.tagName")
        if tag == "BODY":
            break
        seen.append(tag)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert {"A", "SUMMARY", "INPUT"} <= set(seen)


def test_those_who_want_no_motion_get_none(load: Open) -> None:
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert load(reduced_motion="reduce").evaluate(behaviour) == "auto"
    moving = "document.getAnimations().length"
    assert load(reduced_motion="no-preference").evaluate(moving) == 0


def test_print_is_black_on_white_and_unfolded(load: Open) -> None:
    page = load(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.querySelector('#causes details td').checkVisibility()")
    assert not page.locator("nav").is_visible()


def test_a_screen_reader_meets_headings_in_order_and_tables_as_tables(load: Open) -> None:
    page = load(width=PHONE)  # where rows are laid out as cards
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(each => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    table = page.get_by_role("table", name="Each metric of A and B")
    assert table.get_by_role("columnheader").count() == 8
    row = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name="fid lower is better", exact=True))
    assert row.get_by_role("cell").count() == 7


def shown(page: "Page") -> list[str]:
    found: list[str] = page.eval_on_selector_all("#grids figure", SHOWN)
    return found
