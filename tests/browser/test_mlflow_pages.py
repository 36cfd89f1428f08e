"""MLflow's own pages, as a person meets them after two real trainings that differ in the seed alone."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mnistgan.comparison import seeds
from mnistgan.comparison.figures import DROPPED, REPETITION
from pipeline.dvcfiles import layout
from pipeline.tracking import groups
from pipeline.tracking.publication import NOTE, OTHERS, SCORES, TRAINING, VALIDATION
from tests.pipeline.cloning import Clone, clone
from tests.pipeline.ui_server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

pytestmark = pytest.mark.slow

DESK = {"width": 1280, "height": 900}
PATIENCE_MILLISECONDS = 120_000.0
FID = "scores/fid"
LOOKS = "validation/fid"
"""A metric that a training logs several times."""
TRACES = "chart => chart.data.map(({name, x}) => [name, x])"


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory, mnist_cache: Path) -> Clone:
    """Two seeds of a small recipe in one store, under their parent."""
    made = replace(clone(tmp_path_factory.mktemp("pages") / "clone", mnist_cache), tracking="off")  # `sync` publishes
    for seed in range(2):
        made.dvc("exp", "run", "--name", f"seed-{seed}", "-S", f"train.seed={seed}")
        made.pipeline("sync")
    made.pipeline("seeds", "train", "--count", "2")
    as_if_none_had_collapsed(made.root / layout.SEEDS)
    made.pipeline("sync")
    return made


def as_if_none_had_collapsed(table: Path) -> None:
    """Change a seeds file: so short a training does collapse, and the collapsed are not averaged in."""
    spared = {DROPPED: 0.0, REPETITION: 0.0}
    rows = [
        replace(row, figures=replace(row.figures, leaves={**row.figures.leaves, **spared}))
        for row in groups.read_rows(table)
    ]
    table.write_text(seeds.dumps(rows))


@pytest.fixture(scope="module")
def address(cloned: Clone) -> Iterator[str]:
    """Where `pipeline ui` says that its pages are."""
    with serving(cloned.root, cloned.environment) as said:
        yield said


@pytest.fixture(scope="module")
def context(browser: "Browser", address: str) -> "Iterator[BrowserContext]":
    """A browser that has been here before: on a first visit MLflow's assistant opens itself over the page."""
    made = browser.new_context(viewport=DESK)
    made.set_default_timeout(PATIENCE_MILLISECONDS)
    page = made.new_page()
    page.goto(address)
    page.get_by_role("button", name="Close", exact=True).click()
    page.close()
    yield made
    made.close()


@pytest.fixture
def page(context: "BrowserContext") -> "Iterator[Page]":
    made = context.new_page()
    yield made
    made.close()


@pytest.fixture
def table(page: "Page", address: str, parent: Any, children: list[Any]) -> "Page":
    """The table of runs, the parent's children among them."""
    page.goto(address)
    unfold(page, parent, children)
    return page


@pytest.fixture
def charts(page: "Page", address: str, parent: Any, children: list[Any]) -> "Page":
    """The charts of the same runs."""
    page.goto(f"{address}&compareRunsMode=CHART")
    unfold(page, parent, children)
    return page


@pytest.fixture
def parent(cloned: Clone) -> Any:
    """The parent run."""
    (found,) = [run for run in cloned.runs if "mnistgan.group" in run.data.tags]
    return found


@pytest.fixture
def children(cloned: Clone) -> list[Any]:
    """The runs of the seeds, by seed."""
    return sorted(
        (run for run in cloned.runs if "train.seed" in run.data.params), key=lambda run: run.data.params["train.seed"]
    )


def test_the_address_that_ui_says_opens_the_runs_among_the_pages_for_training(page: "Page", address: str) -> None:
    page.goto(address)
    page.get_by_role("heading", name="Runs").wait_for()
    page.get_by_role("link", name="mnistgan").first.wait_for()
    page.get_by_role("link", name="Model registry").wait_for()
    assert not page.get_by_role("link", name="Judges").count()  # of the pages for language models


def test_the_first_columns_tell_runs_apart_without_scrolling(table: "Page", parent: Any, children: list[Any]) -> None:
    for run in children:
        assert named(table, run).count() == 1
        assert float(cell(table, run, f"metrics.`{FID}`")) == run.data.metrics[FID]
        assert run.info.run_name.startswith(
            f"dcgan/{run.data.params['train.recipe']}/{run.data.params['train.seed']} · "
        )
        assert run.data.tags[NOTE].startswith(beginning(cell(table, run, "attributes.`Description`")))
    assert float(cell(table, parent, f"metrics.`{FID}`")) == parent.data.metrics["seeds/fid.mean"]
    assert parent.data.tags[NOTE].startswith(beginning(cell(table, parent, "attributes.`Description`")))
    last = table.get_by_role("columnheader", name="Description").last.bounding_box()
    assert last
    assert last["x"] + last["width"] <= DESK["width"]


def test_two_runs_ticked_compare_by_the_params_and_figures_that_differ(table: "Page", children: list[Any]) -> None:
    for run in children:
        named(table, run).get_by_role("checkbox", name="toggle row selection").click()
    table.get_by_role("button", name="Compare").click()
    table.get_by_role("switch", name="Parameters - Show diff only").click()
    params = table.get_by_role("table").filter(has_text="train.seed")
    assert params.get_by_role("row").all_inner_texts() == ["train.seed\t0\t1"]
    table.get_by_role("link", name=FID, exact=True).scroll_into_view_if_needed()
    for run in children:
        table.get_by_text(f"{run.data.metrics[FID]:.4g}", exact=True).wait_for()


def test_their_curves_share_one_axis_of_steps(charts: "Page", cloned: Clone, children: list[Any]) -> None:
    chart = card(charts, LOOKS).locator(".js-plotly-plot")
    chart.get_by_text("Step", exact=True).wait_for()
    drawn = dict(chart.evaluate(TRACES))
    steps = [step for step, _ in cloned.points(children[0])[LOOKS]]
    assert len(steps) > 1
    assert drawn == {run.info.run_name: steps for run in children}


def test_one_slider_moves_the_grids_of_both_to_the_same_epoch(
    charts: "Page", cloned: Clone, children: list[Any]
) -> None:
    grids = card(charts, "grid")
    epochs = cloned.images(children[0])
    assert len(epochs) > 1
    for epoch in epochs:
        for run in children:
            picture = grids.locator(f'img[src*="step%2B{epoch}%2B"][src$="run_uuid={run.info.run_id}"]')
            picture.evaluate("image => image.decode()")  # fails where it is no picture
        grids.get_by_role("slider").press("ArrowRight")


def test_the_card_of_grids_names_the_runs_without_their_params(charts: "Page", children: list[Any]) -> None:
    grids = card(charts, "grid")
    for run in children:
        grids.get_by_text(run.info.run_name).wait_for()
    assert "recipe." not in grids.inner_text()


@pytest.fixture
def streamed(cloned: Clone, children: list[Any]) -> Iterator[Any]:
    """A run that got its curves before its scores, as one does that is published while it trains."""
    store, shown = cloned.store, children[0].data.metrics
    run = store.create_run(children[0].info.experiment_id)
    for name in sorted(shown, reverse=True):  # the curves' names come after the scores'
        store.log_metric(run.info.run_id, name, shown[name])
    yield run
    store.delete_run(run.info.run_id)


def test_the_charts_of_a_run_lead_with_the_scores_though_its_curves_came_first(
    page: "Page", address: str, streamed: Any
) -> None:
    page.goto(f"{of_run(address, streamed)}/model-metrics")
    sections = page.get_by_role("button").filter(has_text=re.compile(r"\(\d+\)"))
    sections.filter(has_text="whole evaluation").wait_for()
    prefixes = [SCORES, TRAINING, VALIDATION, OTHERS]
    found = [text.splitlines()[0] for text in sections.all_inner_texts()]
    assert found[: len(prefixes)] == [prefix.removesuffix("/") for prefix in prefixes]


def test_the_parent_unfolds_into_its_children_and_each_names_the_other(
    page: "Page", address: str, parent: Any, children: list[Any]
) -> None:
    page.goto(address)
    named(page, parent).wait_for()
    assert not any(named(page, run).count() for run in children)
    page.goto(of_run(address, parent))
    for run in children:
        page.get_by_role("link", name=run.info.run_name).click()
        page.get_by_role("heading", name=run.info.run_name).wait_for()
        page.get_by_role("link", name=parent.info.run_name).click()
        page.get_by_role("heading", name=parent.info.run_name).wait_for()


def test_the_parents_note_holds_mean_spread_and_interval(page: "Page", address: str, parent: Any) -> None:
    page.goto(of_run(address, parent))
    page.get_by_text("Show more").click()
    shown = parent.data.metrics
    mean, sd, low, high = (f"{shown[f'seeds/log_fid.{end}']:.4g}" for end in ("mean", "sd", "low", "high"))
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name="log_fid", exact=True))
    assert row.get_by_role("cell").all_inner_texts() == ["log_fid", mean, sd, f"{low} to {high}", "2"]


def test_the_dataset_of_a_run_opens_its_splits(page: "Page", address: str, children: list[Any]) -> None:
    [used] = children[0].inputs.dataset_inputs
    page.goto(of_run(address, children[0]))
    page.get_by_text(f"MNIST ({used.dataset.digest})").click()
    drawer = page.get_by_role("dialog")
    training = json.loads(used.dataset.profile)["splits"]["train"]["count"]
    drawer.get_by_text(f'"count":{training}').wait_for()


def test_a_runs_note_is_its_verdict_and_its_samples(page: "Page", address: str, children: list[Any]) -> None:
    for run in children:
        page.goto(of_run(address, run))
        page.get_by_role("paragraph").filter(has_text=run.data.tags["mnistgan.verdict"]).wait_for()
        picture = page.locator(f'img[src*="path=samples.png&run_uuid={run.info.run_id}"]')
        picture.evaluate("image => image.decode()")  # fails where it is none


def named(page: "Page", run: Any) -> "Locator":
    """The row that names a run; what it holds beyond the name and the time is in another row beside."""
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=run.info.run_name))


def unfold(page: "Page", parent: Any, children: list[Any]) -> None:
    """Show a parent's children, and wait for them."""
    named(page, parent).get_by_role("gridcell").filter(has=page.get_by_role("link")).get_by_role("button").click()
    for run in children:
        named(page, run).wait_for()


def cell(page: "Page", run: Any, column: str) -> str:
    """What a run's row has in a column."""
    at = named(page, run).get_attribute("aria-rowindex")
    return page.locator(f'[role=row][aria-rowindex="{at}"] [role=gridcell][col-id="{column}"]').inner_text()


def beginning(shown: str) -> str:
    """What is there of a text that MLflow cut short."""
    return shown.removesuffix("...")


def card(page: "Page", metric: str) -> "Locator":
    """The card of a metric among the charts."""
    page.get_by_placeholder("Search metric charts").fill(f"^{metric}$")
    title = page.get_by_text(metric, exact=True)  # the cards of others go only after a moment
    return page.get_by_test_id("experiment-view-compare-runs-card").filter(has=title)


def of_run(address: str, run: Any) -> str:
    """The page of a run."""
    return f"{address.partition('?')[0]}/{run.info.run_id}"
