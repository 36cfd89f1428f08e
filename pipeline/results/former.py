"""Reads records from before families under today's names: the one table old name -> new.

Whatever reads a record that may be old passes it through here: what is of today comes out as it went in. A state's
keys are of the names that it was recorded under, so they are worked out before.
"""

import csv
import io
import re
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnistgan.families import recipes_file
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.dvcfiles.layout import PARAMS

FIGURES = {
    "units": "relative",
    "no_8": "missing_class",
    "worst_digit": "worst_class",
    "smallest_digit": "smallest_class",
}
"""The last part of a figure's dotted name, in metrics/evaluation.json, metrics/seeds.csv, gate.yaml and MLflow."""
COLUMNS = {"digit": "class", "missing_digit": "missing_class", "dropped_digits": "dropped_classes"}
"""Of metrics/classes.csv and metrics/looks.csv."""
SENTENCES = {
    r"\bdigit (\d+) at\b": r"class \1 at",
    r"\bof the (\d+)s repeat\b": r"of class \1 repeat",
    r"\bare no clear digit\b": "are of no clear class",
}
"""What a verdict's evidence says."""
EVIDENCE = "evidence"
"""The list in metrics/evaluation.json that a verdict's reasons stood in, apart from its words."""
FILES = {"models/generator.npz": "models/final.npz", "models/discriminator.npz": "models/parts"} | {
    f"pretrained{name}": f"pretrained/mnist{name}"
    for name in ("", "/classifier.json", "/classifier.npz", "/pixels.json", "/pixels.npz")
}
OPTIONS = {
    "train": {"generator": "final", "discriminator": "parts"},
    "evaluate": {"generator": "weights"},
    "render": {"generator": "weights"},
}
"""Of a stage's command line."""
CODE = {
    "pipeline/prepare.py": "pipeline/commands/prepare.py",
    "pipeline/train.py": "pipeline/commands/train.py",
    "pipeline/evaluate.py": "pipeline/commands/evaluate.py",
    "pipeline/render.py": "pipeline/commands/render.py",
    "src/mnistgan/data": "src/mnistgan/datasets",
    "src/mnistgan/models": "src/mnistgan/families",
    "src/mnistgan/pictures": "src/mnistgan/drawing",
}
FAMILY_KNOB, FAMILY = "kind", "dcgan"
"""The knob of a recipe that `train.family` was, and the one family that there was."""
ADDED = {"family": FAMILY, "device": "cpu"}
"""Params of `train` that old records lack, and what they were without saying so."""
DATA = {"name": "mnist"}
"""The section `data`, likewise: there was one data set."""
FACTS_FILE, FACTS = "datasets/mnist/dataset.yaml", {"evaluate": {"missing_class": 8}}
"""What a stage reads of its file, likewise: that stood in the code."""
_RECIPE = re.compile(r"recipes\.([^.]+)(\..+)?")


def options(stage: str, part: Part) -> dict[str, Path]:
    """Finds the paths of a recorded command by today's options, where they were when it ran."""
    found = copy(part.options)  # which has a word of its own for one that is missing
    assert isinstance(found, dict)
    for old, new in OPTIONS.get(stage, {}).items():
        if old in found:
            found[new] = found.pop(old)
    return found


def paths(path: Path) -> list[Path]:
    """Lists a file of today, and where it was before."""
    return [path, *(Path(old) for old, new in FILES.items() if new == path.as_posix())]


def figure(name: str) -> str:
    """Turns a figure's dotted name into today's: ``fid.relative`` for ``fid.units``."""
    section, dot, last = name.rpartition(".")
    return f"{section}{dot}{FIGURES.get(last, last)}" if dot else name


def said(evidence: str) -> str:
    for old, new in SENTENCES.items():
        evidence = re.sub(old, new, evidence)
    return evidence


def evaluation(report: Any) -> Any:
    """Turns a parsed metrics/evaluation.json into today's, in its own order; anything else as it is."""
    if not isinstance(report, Mapping):
        return report
    found = {name: held for name, held in report.items() if name != EVIDENCE}
    for name, held in found.items():
        if isinstance(held, Mapping):
            found[name] = {FIGURES.get(figure, figure): value for figure, value in held.items()}
    if evidence := report.get(EVIDENCE):
        found["verdict"] = "; ".join(map(str, evidence)) if isinstance(evidence, list) else evidence
    if isinstance(found.get("verdict"), str):
        found["verdict"] = said(found["verdict"])
    return found


def table(text: str) -> str:
    """Turns the text of a metrics/classes.csv or metrics/looks.csv into today's."""
    header, newline, rows = text.partition("\n")
    return ",".join(COLUMNS.get(column, column) for column in header.split(",")) + newline + rows


def seeds(text: str) -> str:
    """Turns the text of a metrics/seeds.csv into today's; one that is no CSV as it is."""
    try:
        lines = list(csv.reader(io.StringIO(text)))
    except csv.Error:
        return text
    if not lines or all(figure(column) == column for column in lines[0]):
        return text
    renamed = io.StringIO()
    rows = csv.writer(renamed, lineterminator="\n")
    rows.writerow(map(figure, lines[0]))
    rows.writerows(map(said, line) for line in lines[1:])
    return renamed.getvalue()


def document(params: Any) -> Any:
    """Turns a parsed params.yaml that holds recipes into today's without the family; another stays as it is."""
    if not isinstance(params, Mapping) or not isinstance(params.get("recipes"), Mapping):
        return params
    held = {name: dict(knobs) for name, knobs in params["recipes"].items() if isinstance(knobs, Mapping)}
    families = {name: knobs.pop(FAMILY_KNOB, FAMILY) for name, knobs in held.items()}
    train = params.get("train")
    if isinstance(train, Mapping):
        train = {**ADDED, "family": families.get(train.get("recipe"), FAMILY), **train}
    return {**params, "train": train, "recipes": held}


def rules(document: Any) -> Any:
    """Turns a parsed gate.yaml into today's, a block a data set; anything but a mapping as it is.

    Lines that stand in no block are of the one data set that there was.
    """
    if not isinstance(document, Mapping) or not document:
        return document
    blocks = document if any(isinstance(held, Mapping) for held in document.values()) else {DATA["name"]: document}
    return {name: _block(held) for name, held in blocks.items()}


def _block(held: Any) -> Any:
    return {figure(str(name)): rule for name, rule in held.items()} if isinstance(held, Mapping) else held


def parts(recorded: Mapping[str, Part]) -> dict[str, Part]:
    """Turns what a dvc.lock records of its stages into today's. Its commands stay as they were run."""
    return {stage: _part(stage, part) for stage, part in recorded.items()}


def _part(stage: str, part: Part) -> Part:
    named = options(stage, part)
    for name, path in named.items():
        named[name] = Path(_path(path.as_posix()))
    return replace(
        part,
        params=_params(stage, part.params),
        deps={_path(path): digest for path, digest in part.deps.items()},
        outs={_path(path): digest for path, digest in part.outs.items()},
        options=named,
    )


def _path(path: str) -> str:
    return FILES.get(path) or CODE.get(path, path)


def _params(stage: str, by_file: Mapping[str, Any]) -> dict[str, Any]:
    """Sorts params by file and key, with each recipe's in the file of its family."""
    found = {name: dict(named) for name, named in by_file.items()}
    main = found.get(str(PARAMS), {})
    if stage == "prepare" and main:
        main.setdefault("data", DATA)
    if stage in FACTS and not any(file.startswith("datasets/") for file in found):
        found[FACTS_FILE] = dict(FACTS[stage])
    for key in [key for key in main if _RECIPE.fullmatch(key)]:
        knobs, recipe = main.pop(key), key.removeprefix("recipes.")
        family = FAMILY
        if isinstance(knobs, Mapping):
            family = str(knobs.get(FAMILY_KNOB, FAMILY))
            knobs = {name: value for name, value in knobs.items() if name != FAMILY_KNOB}
            if isinstance(main.get("train"), Mapping):
                main["train"] = {**ADDED, **main["train"], "family": family}
        found.setdefault(recipes_file(family), {})[recipe] = knobs
    return found
