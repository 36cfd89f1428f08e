"""The gallery as a person meets it: from disk, on a phone, by keyboard, by a screen reader."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.commands.gallery import gallery
from pipeline.results.rows import RUNS
from tests.rows import make

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number, name in enumerate(("dcgan-fast", "gan-fast", "vae-two-stage")):
            make(RUNS, f"mnist/{name}", 0, 2.0 * 4**number)
        gallery(Path("gallery.html"))
    return folder / "gallery.html"


@pytest.fixture(params=[360, 1280], ids=["phone", "desk"])
def page(browser: "Browser", made: Path, request: pytest.FixtureRequest) -> Iterator["Page"]:
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    asked: list[str] = []
    context.on("request", lambda each: asked.append(each.url))
    page = context.new_page()
    page.goto(made.as_uri())
    yield page
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()


def test_nothing_is_wider_than_the_screen_and_every_recipe_is_there(page: "Page") -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".card h2").all_inner_texts() == ["dcgan fast", "gan fast", "vae two-stage"]


def test_the_slider_moves_every_training_by_keyboard_and_says_where_it_is(page: "Page") -> None:
    moment = page.locator(".moment").first
    assert moment.inner_text() == "epoch 9"
    page.locator("#moment").focus()
    page.keyboard.press("Home")
    assert moment.inner_text() == "epoch 0"
    assert page.locator("#moment").get_attribute("aria-valuetext") == "before training"
    assert page.locator(".frames").first.get_attribute("aria-label") == "Samples of dcgan fast, epoch 0"
    page.keyboard.press("ArrowRight")
    assert moment.inner_text() == "epoch 4"


def test_latents_are_walked_through_when_asked(page: "Page") -> None:
    walk = page.locator(".walks div").first
    playing = "each => each.getAnimations().length"
    assert walk.evaluate(playing) == 0
    page.get_by_label("Move through the latents").check()
    assert walk.evaluate(playing) == 1


def test_a_point_of_the_chart_leads_to_its_card(page: "Page") -> None:
    page.get_by_role("link", name="vae two-stage: relative FID").focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#mnist-vae-two-stage")


def test_axe_finds_no_violation(page: "Page") -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
