import base64
import csv
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnistgan.drawing.report import page as pages
from mnistgan.errors import FormatError, PinsError, UsageError
from mnistgan.metrics.intervals import Z
from pipeline import ROOT
from pipeline.commands.report import report
from pipeline.runs import journal, keys
from tests.comparison.made_up import PINS, seeds_around, write
from tests.drawing.report.furnished import furnish
from tests.drawing.report.reading import Node, parse
from tests.pipeline.repository import Repository, made_up_md5

EARLIER = '<!doctype html>\n<section id="verdict">'
HOSTILE = "\"><script>alert(1)</script><img/src=x/onerror=alert(1)>{{7*7}}'&amp;"

Read = Callable[..., Node]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository of two tags with all that a report shows; `short` has fewer epochs, another seed. Checked out: B."""
    made = Repository(tmp_path_factory.mktemp("furnished"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.root)
        made.git("init", "--initial-branch=main")
        furnish(made, seed=0, epochs=4)
        made.commit("long")
        furnish(made, seed=1, epochs=2, fid=60.0, batch_size=256)
        made.commit("short")
    return made


@pytest.fixture
def repository(furnished: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A copy of it for one test: the current folder."""
    made = Repository(tmp_path / "repository")
    shutil.copytree(furnished.root, made.root)
    monkeypatch.chdir(made.root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return made


@pytest.fixture(scope="module")
def html(furnished: Repository) -> str:
    """The page of `report long short`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(furnished.root)
        patch.delenv("DVC_ROOT", raising=False)
        report("long", "short", out=furnished.root.parent / "report.html")
    return (furnished.root.parent / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Node:
    """The same, parsed."""
    return parse(html)


@pytest.fixture
def read(repository: Repository) -> Read:
    """Gives the page of `report A B`, parsed."""

    def call(a: str = "long", b: str = "short") -> Node:
        report(a, b)
        return parse(Path("report.html").read_text("utf-8"))

    return call


def section(page: Node, name: str) -> Node:
    (found,) = page.find("section", id=name)
    return found


def rows(of: Node) -> dict[str, list[Node]]:
    """The cells of a table's rows by the row's name, without what is said beside it."""
    found = {}
    for row in of.find("tr"):
        if cells := row.find("td"):
            name = "".join(part for part in row.find("th")[0].children if isinstance(part, str))
            found["".join(name.split())] = cells
    return found


def leaves_at(repository: Repository, tag: str) -> dict[str, float]:
    evaluation = json.loads(repository.git("show", f"{tag}:metrics/evaluation.json"))
    nested = {name: section for name, section in evaluation.items() if isinstance(section, dict)}
    return {f"{name}.{key}": value for name, held in nested.items() for key, value in held.items()}


def table_at(repository: Repository, tag: str, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(repository.git("show", f"{tag}:{path}").splitlines()))


def test_every_metric_shown_is_the_files_own(furnished: Repository, page: Node) -> None:
    shown = rows(section(page, "metrics"))
    for letter, tag in enumerate(("long", "short")):
        leaves = leaves_at(furnished, tag)
        for name in ("fid", "fid_logits", "kid", "precision", "coverage"):
            _, real, *sides = shown[name]
            (value, text), *beside = sides[letter].numbers
            assert (value, text) == (leaves[f"{name}.value"], f"{value:.4g}")
            ends = [leaves[f"{name}.{end}"] for end in ("low", "high", "relative") if f"{name}.{end}" in leaves]
            if name != "kid":
                assert [number for number, _ in beside] == ends
            assert real.numbers[0][0] == leaves.get(f"{name}.floor", leaves.get(f"{name}.real"))
    assert [number for number, _ in shown["fid"][1].numbers] == [leaves["fid.floor"], leaves["fid.missing_class"]]


def test_every_share_and_every_point_of_a_curve_shown_is_the_files_own(furnished: Repository, page: Node) -> None:
    shares = rows(section(page, "classes"))
    for letter, tag in enumerate(("long", "short")):
        for line in table_at(furnished, tag, "metrics/classes.csv"):
            _, prior, *sides = shares[line["digit"]]
            assert prior.numbers == [(float(line["prior"]), f"{float(line['prior']):.1%}")]
            assert sides[letter].numbers == [(float(line["share"]), f"{float(line['share']):.1%}")]
    listings = section(page, "curves").find("table")
    sources = [(tag, path) for path in ("training", "looks") for tag in ("long", "short")]
    for listing, (tag, path) in zip(listings, sources, strict=True):
        columns = [cell.text for cell in listing.find("thead")[0].find("th")]
        lines = table_at(furnished, tag, f"metrics/{path}.csv")
        body = listing.find("tbody")[0].find("tr")
        for row, line in ((body[0], lines[0]), (body[-1], lines[-1])):
            assert [value for value, _ in row.numbers] == [float(line[column]) for column in columns]


def test_no_number_on_the_page_is_from_nowhere(furnished: Repository, page: Node) -> None:
    known: set[float] = set()
    for tag in ("long", "short"):
        leaves = leaves_at(furnished, tag)
        known |= set(leaves.values())
        error = Z * leaves["kid.standard_error"]
        known |= {leaves["kid.value"] - error, leaves["kid.value"] + error}
        for path in ("classes", "looks", "training"):
            lines = table_at(furnished, tag, f"metrics/{path}.csv")
            known |= {float(cell) for line in lines for cell in line.values() if cell}
    confidences = {value for value, _ in section(page, "ends").numbers}
    assert all(0.1 <= value <= 1 for value in confidences)
    assert {value for value, _ in page.numbers} - confidences <= known
    assert all(text in (f"{value:.4g}", f"{value:.1%}", ">99.9%") for value, text in page.numbers)


def test_the_verdict_stands_first_with_what_decided_it(page: Node) -> None:
    assert [heading.text for heading in page.find("h1")] == ["Can't tell yet"]
    told = section(page, "verdict")
    assert "FID 27 → 60 (+122.2%)" in told.text
    assert "the training budget differs: recipe.epochs 4 → 2, recipe.batch_size 32 → 256" in told.text
    assert [heading.text for heading in told.find("h2")] == ["A long", "B short"]
    assert page.find("section")[0] is told


def test_what_differs_is_shown_and_the_rest_folded_away(page: Node) -> None:
    causes = section(page, "causes")
    first = causes.find("table")[0]
    assert {name: [cell.text for cell in cells] for name, cells in rows(first).items()} == {
        "recipe.epochs": ["4", "2"],
        "recipe.batch_size": ["32", "256"],
        "train.seed": ["0", "1"],
    }
    folded = causes.find("details")
    assert "recipe.learning_rate" in folded[0].text
    assert all("open" not in each.attributes for each in folded)


def test_the_page_says_where_both_come_from(furnished: Repository, page: Node) -> None:
    shown = {name: [cell.text for cell in cells] for name, cells in rows(section(page, "provenance")).items()}
    assert furnished.git("rev-parse", "long")[:12] in shown["result"][0]
    assert shown["weights(MD5)"] == [made_up_md5("w27.0"), made_up_md5("w60.0")]
    assert shown["seed"] == ["0", "1"]
    assert shown["pins"] == [PINS, PINS]
    assert shown["trainedon"] == ["tensorflow 2.21.0, keras 3.15.1, numpy 2.4.6"] * 2
    assert shown["weights(sha256)"] == ["their file is not on this machine"] * 2
    assert shown["madeby"] == ["no journal on this machine tells"] * 2


def test_the_keys_are_those_of_the_state_and_lead_to_its_journal(repository: Repository, read: Read) -> None:
    of_b = keys.state_of_lock(repository.git("show", "short:dvc.lock"))
    facts = {"commit": "c0ffee" * 6, "dirty": True, "cpu": "AMD EPYC"}
    start = {"event": "start", "stage": "train", "time": "2026-11-24T17:06:00+00:00", **facts}
    speed = {"event": "progress", "stage": "train", "time": "2026-11-24T17:09:00+00:00", "images_per_second": 503.7}
    path = journal.path_of(Path(), of_b.train_key)
    path.parent.mkdir()
    path.write_text("".join(f"{json.dumps(event)}\n" for event in (start, speed)))
    shown = {name: cells[1].text for name, cells in rows(section(read(), "provenance")).items()}
    assert (shown["runkey"], shown["trainkey"], shown["data"]) == (of_b.run_key, of_b.train_key, of_b.data_digest)
    assert shown["madeby"] == "commit c0ffeec0ffee, with changes that it does not hold"
    assert (shown["madeat"], shown["processor"]) == ("2026-11-24 17:06 UTC", "AMD EPYC")
    assert shown["speed"] == "504 images/s"


def test_the_slider_has_every_epoch_of_both_and_ends_at_the_final_weights(page: Node) -> None:
    grids = section(page, "grids")
    (slider,) = grids.find("input", id="moment")
    stops = json.loads(str(slider.attributes["data-stops"]))
    assert [stop["label"] for stop in stops] == [*(f"epoch {epoch}" for epoch in range(5)), "final weights"]
    assert [(stop["a"], stop["b"]) for stop in stops] == [(0, 0), (1, 1), (2, 2), (3, 2), (4, 2), (5, 3)]
    for letter, count in (("a", 6), ("b", 4)):
        figures = grids.find("div", id=f"grid-{letter}")[0].find("figure")
        assert len(figures) == count
        assert ["hidden" in figure.attributes for figure in figures] == [True] * (count - 1) + [False]
        assert "final weights" in str(figures[-1].find("img")[0].attributes["alt"])


def test_without_the_cache_the_pictures_of_git_stand_and_the_rest_is_said(repository: Repository, read: Read) -> None:
    (repository.root / ".dvc").rename(repository.root.parent / "elsewhere")
    grids = section(read(), "grids")
    assert "not on this machine for A (long) and B (short)" in grids.text
    assert (len(grids.find("img")), grids.find("input")) == (2, [])


def test_other_latents_are_said_loudly(repository: Repository, read: Read) -> None:
    furnish(repository, seed=2, epochs=2, grid_seed=7)
    repository.commit("other")
    assert (
        "the latents are NOT the same: train.grid_seed is 0 for A and 7 for B"
        in section(read("long", "other"), "grids").text
    )


def test_the_clearest_samples_are_cut_from_the_pictures_that_git_keeps(page: Node) -> None:
    ends = section(page, "ends")
    strips = [strip.find("li") for strip in ends.find("ol")]
    assert [len(strip) for strip in strips] == [12] * 4
    surest, least = ([item.numbers[0][0] for item in strip] for strip in strips[:2])
    assert min(surest) >= max(least)


def test_without_the_recorded_classifier_nothing_is_said_to_be_clear(repository: Repository, read: Read) -> None:
    (repository.root / "pretrained" / "mnist" / "classifier.npz").write_bytes(b"other")
    ends = section(read("workspace", "workspace"), "ends")
    assert ends.find("li") == []
    assert "the classifier's weights that dvc.lock records are not on this machine" in ends.text


def test_a_group_has_figures_and_says_what_it_lacks(repository: Repository, read: Read) -> None:
    for seed, fid in enumerate(seeds_around(27.0, 3)):
        write(Path("group") / f"{seed}.json", fid=fid)
    page = read("group", "short")
    assert "A (group) is a group of 3 seeds" in section(page, "curves").text
    assert "3 seeds" in section(page, "verdict").text
    assert len(section(page, "grids").find("img")) == 1
    assert "not recorded for group" in section(page, "causes").text
    value, text = rows(section(page, "metrics"))["fid"][2].numbers[0]
    assert math.isclose(value, math.prod(seeds_around(27.0, 3)) ** (1 / 3))
    assert text == f"{value:.4g}"


def test_a_metrics_file_alone_says_what_it_lacks(repository: Repository, read: Read) -> None:
    write(Path("alone.json"))
    page = read("alone.json", "alone.json")
    assert page.find("h1")[0].text == "Identical"
    assert "A (alone.json) is a metrics file by itself" in section(page, "curves").text
    assert page.find("img") == []


def test_a_file_that_the_lock_does_not_record_is_said(repository: Repository, read: Read) -> None:
    path = Path("metrics/training.csv")
    path.write_text(path.read_text() + "9,9,1,1,1,1\n")
    Path("metrics/looks.csv").unlink()
    curves = section(read("long", "workspace"), "curves").text
    assert "B (workspace): metrics/training.csv is not the one that dvc.lock records" in curves
    assert "B (workspace) has no metrics/looks.csv" in curves


@pytest.mark.parametrize("path", ["metrics/training.csv", "metrics/classes.csv", "plots/samples.png"])
def test_a_torn_file_is_named_and_the_old_report_stays(repository: Repository, path: str) -> None:
    Path("report.html").write_text(EARLIER)
    Path(path).write_bytes(b"torn")
    with pytest.raises(FormatError, match=rf"B \(workspace\), {path}: "):
        report("long", "workspace")
    assert Path("report.html").read_text() == EARLIER


@pytest.mark.parametrize("option", ["out", "markdown"])
@pytest.mark.parametrize("path", ["dvc.lock", "params.yaml", "metrics", "dvc.lock/report.html", "x" * 300])
def test_what_no_report_wrote_is_never_replaced_and_nothing_is_written(
    repository: Repository, option: str, path: str
) -> None:
    before = {file: file.read_bytes() for file in repository.root.rglob("*") if file.is_file()}
    with pytest.raises(UsageError, match=f"--{option} "):
        report("long", "short", **{option: Path(path)})
    assert {file: file.read_bytes() for file in repository.root.rglob("*") if file.is_file()} == before


def test_an_earlier_report_and_its_markdown_are_replaced(repository: Repository) -> None:
    for b in ("short", "workspace"):
        report("long", b, out=Path("page.html"), markdown=Path("page.md"))
    assert "against long" in Path("page.html").read_text("utf-8")
    assert "B: workspace" in Path("page.md").read_text("utf-8")


def test_shares_without_a_column_are_told_by_the_columns_name(repository: Repository) -> None:
    Path("metrics/classes.csv").write_text("class,share\n0,0.1\n")
    with pytest.raises(FormatError, match=r"B \(workspace\), metrics/classes\.csv: has no column prior"):
        report("long", "workspace")


def test_a_torn_list_in_the_cache_is_no_grid(repository: Repository, read: Read) -> None:
    for listed in Path(".dvc/cache").rglob("*.dir"):
        listed.write_text('[{"md5": ')
    assert "not on this machine for A (long) and B (short)" in section(read(), "grids").text


def test_hostile_names_stay_text(repository: Repository, read: Read) -> None:
    branch = HOSTILE.replace("{{7*7}}", "{{7+7}}")
    furnish(repository, seed=1, epochs=2, fid=60.0, kind=HOSTILE)
    write(Path("metrics/evaluation.json"), fid=60.0, verdict=HOSTILE, **{HOSTILE: {"value": 1.0}})
    repository.git("add", "--all")
    repository.git("commit", "-m", HOSTILE)
    repository.git("branch", branch)
    page = read("long", branch)
    every = page.every()
    assert len(page.find("script")) == 1
    assert [node.tag for node in every if any(name.startswith("on") for name in node.attributes)] == []
    assert all(str(node.attributes["src"]).startswith("data:image/png;base64,") for node in page.find("img"))
    verdict = section(page, "verdict").text
    assert branch in verdict
    assert verdict.count(HOSTILE) >= 2  # the commit's subject, and the file's verdict
    assert HOSTILE in section(page, "causes").text
    assert HOSTILE in section(page, "metrics").find("tbody")[0].text


def test_the_page_asks_for_nothing_outside_itself(html: str, page: Node) -> None:
    places = [node.attributes[name] for node in page.every() for name in ("src", "href") if name in node.attributes]
    assert all(str(place).startswith(("data:", "#")) for place in places)
    style = page.find("style")[0].text
    assert not [word for word in ("url(", "@import", "://") if word in style]
    assert "://" not in html
    policies = [node.attributes["content"] for node in page.find("meta", **{"http-equiv": "Content-Security-Policy"})]
    assert [str(policy).startswith("default-src 'none'; img-src data:;") for policy in policies] == [True]


def test_the_page_reads_well_aloud(page: Node) -> None:
    assert page.find("html")[0].attributes["lang"] == "en"
    assert [len(page.find(tag)) for tag in ("h1", "main", "header", "footer", "nav")] == [1] * 5
    assert all(image.attributes.get("alt") for image in page.find("img"))
    assert all(cell.attributes.get("scope") in ("col", "row") for cell in page.find("th"))
    assert all(table.find("caption") for table in page.find("table"))
    assert [label.attributes["for"] for label in page.find("label")] == ["moment"]
    hidden = [svg for hider in page.every() if hider.attributes.get("aria-hidden") == "true" for svg in hider.every()]
    drawings = [svg for svg in page.find("svg") if svg not in hidden]
    assert all(svg.attributes["role"] == "img" and svg.attributes["aria-label"] for svg in drawings)
    assert len(drawings) == 11
    ids = [node.attributes["id"] for node in page.every() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    links = [str(node.attributes["href"]).removeprefix("#") for node in page.find("a")]
    assert set(links) <= set(ids)


def test_the_same_results_make_the_same_bytes(repository: Repository) -> None:
    report("long", "short", out=Path("one.html"))
    report("long", "short", out=Path("two.html"))
    assert Path("one.html").read_bytes() == Path("two.html").read_bytes()


def test_markdown_says_what_diff_says_and_the_rest_that_is_text(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    report("long", "short", markdown=Path("-"))
    told = capsys.readouterr().out
    assert told.startswith("**can't tell yet: FID 27 → 60")
    for heading in ("While training", "Looks at validation", "Share of each class", "Provenance"):
        assert f"\n### {heading}" in told
    share = table_at(repository, "short", "metrics/classes.csv")[3]["share"]
    assert next(line for line in told.splitlines() if line.startswith("| 3 |")).endswith(f"{float(share):.1%} |")
    report("long", "short", markdown=Path("out/report.md"))
    assert Path("out/report.md").read_text() == told
    assert "wrote report.html" in capsys.readouterr().out


def test_stdout_holds_the_page_or_the_markdown(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    report("long", "short", out=Path("-"))
    assert capsys.readouterr().out.startswith("<!doctype html>")
    with pytest.raises(UsageError, match="stdout holds one of the two"):
        report("long", "short", out=Path("-"), markdown=Path("-"))


def test_what_can_not_be_compared_or_written_leaves_no_report(repository: Repository) -> None:
    write(Path("other.json"), pins=PINS.replace("10000", "2000"))
    refused: list[tuple[type[Exception], dict[str, Any]]] = [
        (PinsError, {"b": "other.json"}),
        (UsageError, {"b": "nowhere"}),
        (UsageError, {"b": "short", "out": Path("other.json/report.html")}),
    ]
    for error, arguments in refused:
        with pytest.raises(error):
            report("long", **arguments)
    assert [path.name for path in Path().glob("**/*report*")] == []


def test_the_script_is_the_one_that_the_page_allows(html: str) -> None:
    script = (pages.FOLDER / pages.SCRIPT).read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"<script>{script}</script>" in html
    assert f"'sha256-{digest}'" in html.replace("&#39;", "'").replace("&#43;", "+")


def test_it_loads_neither_tensorflow_nor_mlflow_nor_a_plotting_library(repository: Repository) -> None:
    script = "import sys; sys.path.insert(0, sys.argv.pop(1)); from pipeline.__main__ import main; main()"
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", script, str(ROOT), "report", "long", "short"],
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in run.stderr.splitlines()}
    heavy = {"tensorflow", "keras", "mlflow", "dvc", "pandas", "matplotlib", "scipy"}
    assert loaded & heavy == set()
    assert "wrote report.html" in run.stdout
