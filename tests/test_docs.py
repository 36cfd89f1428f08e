"""What the documents promise: their links, the commands they name, every param, and no figure left blank."""

import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import annotated_types
import pandas as pd
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from scipy.stats import spearmanr

from mnistgan import families
from mnistgan.families import recipes_file
from mnistgan.families.contract import CommonRecipe
from mnistgan.params import Sections
from pipeline.dvcfiles import dvc_yaml
from pipeline.results import former
from tests import committed
from tests.command_line import COMMANDS, GROUPS, named

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += sorted((ROOT / "docs").rglob("*.md"))
RECORDS = sorted(ROOT.glob("docs/decisions/[0-9]*.md"))
yaml = YAML(typ="safe", pure=True).load
PARAMS = yaml(committed.params())
TARGETS = set(re.findall(r"^\.PHONY: ([\w-]+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```\w*\n(.*?)^```$|`([^`\n]+)`|^( {4}\S[^\n]*)$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Registries by address, and places of one machine. A name such as PyPI is fine.
ADDRESSES = re.compile(r"\b(?:pypi|pythonhosted|npmjs|yarnpkg|docker)\.(?:org|com|io)\b|/(?:work|home|root|Users)/")
LIMITS = {
    annotated_types.Ge: ("ge", "≥"),
    annotated_types.Gt: ("gt", ">"),
    annotated_types.Le: ("le", "≤"),
    annotated_types.Lt: ("lt", "<"),
}

by_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def text_of(document: Path) -> str:
    return document.read_text("utf-8").replace("\\\n", " ")


def commands_in(document: Path, program: str) -> Iterator[list[str]]:
    """The words after ``program`` wherever a document's code begins a command with it."""
    for found in CODE.finditer(text_of(document)):
        for line in next(filter(None, found.groups()), "").splitlines():
            if line.strip().startswith(f"{program} "):
                yield line.strip().removeprefix(program).split("#")[0].split()


def anchors(document: Path) -> set[str]:
    """What GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table_rows(text: str) -> Iterator[dict[str, str]]:
    """The rows of every table, by the titles of its columns."""
    titles: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if not line.startswith("|"):
            titles = []
        elif not titles:
            titles = [cell.strip("`") for cell in cells]
        elif not set(line) <= set("|-: "):
            yield dict(zip(titles, cells, strict=True))


def fields(section: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of a schema, by its dotted name."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{path}{name}.")
        else:
            yield path + name, field


def takes(field: FieldInfo) -> str | None:
    """How the document should put what a number or a switch takes; None for the rest, which it puts in words."""
    if field.annotation is bool:
        return "true or false"
    if field.annotation not in (int, float):
        return None
    limits = [(LIMITS[type(limit)], limit) for limit in field.metadata]
    parts = [f"{sign} {getattr(limit, name)}" for (name, sign), limit in limits]
    return f"{'integer' if field.annotation is int else 'number'} {', '.join(parts)}"


def value_in(cell: str) -> Any:
    """The value that a cell shows in code; a list's elements one after another."""
    shown = [yaml(code) for code in re.findall(r"`([^`]+)`", cell)]
    return shown if len(shown) > 1 else shown[0]


def documented(heading: str) -> dict[str, dict[str, str]]:
    """The rows below a heading of the page on params, as far as the next one, by key."""
    text = (ROOT / "docs" / "params.md").read_text("utf-8")
    below = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return {row["key"].strip("`"): row for row in table_rows(below)}


COMMON = set(CommonRecipe.model_fields)
SCHEMAS = {
    **{
        name: dict(fields(field.annotation, f"{name}."))
        for name, field in Sections.model_fields.items()
        if field.annotation
    },
    "Of every family": dict(fields(CommonRecipe)),
    **{
        name: {key: field for key, field in fields(families.find(name).recipe) if key not in COMMON}
        for name in families.names()
    },
}
"""The headings of the page on params, and the keys that belong below each."""


@by_document
def test_every_link_and_picture_leads_somewhere(document: Path) -> None:
    made_by_a_stage = {ROOT / path for path in dvc_yaml.outs(ROOT)}  # gone while the stage runs
    broken = []
    for link in LINK.findall(FENCE.sub("", text_of(document))):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if link.startswith("https://") or target in made_by_a_stage:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=lambda path: path.name
)
def test_every_file_of_code_that_is_named_is_there(document: Path) -> None:
    named = re.findall(r"`((?:src|pipeline|tests|scripts|benchmarks|pretrained)/[\w/.-]+\.\w+)`", text_of(document))
    assert [path for path in named if not (ROOT / path).is_file()] == []


@by_document
def test_every_make_target_that_is_named_is_there(document: Path) -> None:
    words = [word for call in commands_in(document, "make") for word in call if "=" not in word]
    assert [word for word in words if word not in TARGETS] == []


@by_document
def test_every_command_that_is_named_takes_what_is_written(document: Path) -> None:
    names = [named(call.split()) for call in re.findall(r"python -m pipeline ([a-z]+(?: [a-z]+)?)", text_of(document))]
    unknown = [name for name in names if name not in {*COMMANDS, *GROUPS}]
    for words in commands_in(document, "python -m pipeline"):
        name = named(words)
        known = {option for parameter in getattr(COMMANDS.get(name), "params", []) for option in parameter.opts}
        unknown += [f"{name} {word}" for word in words if word.startswith("-") and word not in {*known, "--help"}]
    assert unknown == []


@by_document
def test_every_param_that_an_experiment_sets_is_there(document: Path) -> None:
    files = {"": PARAMS, **{f"{recipes_file(name)}:": yaml(text) for name, text in committed.recipes().items()}}
    for file, path in re.findall(r"(?:-S|seeds train --set) ([\w./]+:)?([\w.]+)=", text_of(document)):
        value: Any = files[file]
        for key in path.split("."):
            assert key in value, f"{path} is not in {file or 'params.yaml'}"
            value = value[key]


@by_document
def test_no_figure_is_left_to_fill_in(document: Path) -> None:
    assert re.findall(r"\{\{\w+\}\}", text_of(document)) == []


@by_document
def test_no_address_of_a_registry_or_of_one_machine_is_in_it(document: Path) -> None:
    assert ADDRESSES.findall(text_of(document)) == []


@pytest.mark.parametrize("heading", SCHEMAS)
def test_the_params_page_has_every_key_of_the_schemas_and_no_other(heading: str) -> None:
    rows = documented(heading)
    assert rows.keys() == SCHEMAS[heading].keys()
    for key, field in SCHEMAS[heading].items():
        assert rows[key]["takes"] == (takes(field) or rows[key]["takes"])
        assert rows[key]["meaning"].startswith(field.description or rows[key]["meaning"][:1])


def test_the_params_page_has_the_values_of_params_yaml() -> None:
    shown = {key: value_in(row["default"]) for section in PARAMS for key, row in documented(section).items()}
    assert shown == {f"{section}.{key}": value for section in PARAMS for key, value in PARAMS[section].items()}


def test_decision_records_are_numbered_listed_and_in_one_form() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))
    listed = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", index, re.MULTILINE)
    assert [file for _, _, file in listed] == [path.name for path in RECORDS]
    for (number, title, _), path in zip(listed, RECORDS, strict=True):
        headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
        assert headings == [f"{number}. {title}", "Context", "Decision", "Consequences"]


def test_every_test_that_the_page_of_faults_names_is_there() -> None:
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", (ROOT / "docs" / "faults.md").read_text("utf-8"))
    assert len(named) > 100
    held = {path: (ROOT / path).read_text("utf-8") if (ROOT / path).is_file() else "" for path, _ in named}
    assert [f"{path}::{name}" for path, name in named if f"def {name}(" not in held[path]] == []


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= 250


def test_the_readme_leads_to_every_page_by_the_question_that_heads_it() -> None:
    pages = [path for path in DOCUMENTS if path.parent == ROOT / "docs"]
    headings = {path.name: path.read_text("utf-8").splitlines()[0] for path in pages}
    assert [name for name, heading in headings.items() if not re.fullmatch(r"# .+\?", heading)] == []
    readme = text_of(ROOT / "README.md")
    assert [name for name in headings if f"(docs/{name})" not in readme] == []


def test_the_readme_shows_the_committed_figures() -> None:
    figures = former.evaluation(json.loads(committed.text("metrics/evaluation.json")))
    readme, fid = committed.text("README.md"), figures["fid"]
    assert f"FID {fid['value']:.4g} (floor {fid['floor']:.3g}, relative {fid['relative']:.3g})" in readme
    assert f"coverage {figures['coverage']['value']:.3f} (real {figures['coverage']['real']:.3f})" in readme
    assert figures["verdict"] in readme
    assert f"a relative FID of {figures['fid_pixels']['relative']:.2f} (floor" in readme


def test_the_rulers_page_says_how_far_they_rank_alike() -> None:
    looks = pd.read_csv(StringIO(committed.text("benchmarks/runs/looks_10000_images.csv")))

    def agreement(part: pd.DataFrame) -> str:
        return (
            f"{spearmanr(part.fid, part.fid_pixels).statistic:.2f} over looks {part.epoch.min()} to {part.epoch.max()}"
        )

    said = " ".join(committed.text("docs/rulers.md").split())
    assert len(looks) == 25
    assert agreement(looks[:13]) in said
    assert agreement(looks[13:]) in said
    assert agreement(pd.read_csv(StringIO(committed.text("metrics/looks.csv")))) in said
