"""Checks that recorded figures agree with the rulers, the params and each other, and computes the pins of both."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnistgan.comparison.figures import Figures
from mnistgan.drawing.report.dots import Shares
from mnistgan.errors import FormatError, MnistganError, RulerError
from mnistgan.metrics.catalog import KNOWN, broken_interval
from mnistgan.rulers.pins import check_same, pins
from pipeline.dvcfiles import layout
from pipeline.dvcfiles.dvc_lock import Part
from pipeline.results import former

RULERS = ("classifier", "pixels")
SHARE_ROUNDING = 1e-5
"""How far shares that were rounded may miss each other; the pictures are held to the same."""
ROUNDING = 1e-4
"""The share by which figures that are written in six digits may miss each other."""
REPRO = "run `dvc repro`, then commit dvc.lock, metrics/ and plots/"


def faults(part: Part, workspace: Path) -> Iterator[str]:
    """Checks the rulers against their cards, and the metrics against both, the stage's params and each other."""
    if part.rulers is None or "metrics" not in part.options:
        return
    from mnistgan.files import read_json
    from mnistgan.rulers import cards

    folder = workspace / part.rulers
    try:
        rulers = {name: cards.read(folder, name)[1] for name in RULERS}
        figures = read_json(workspace / part.options["metrics"])
    except MnistganError as error:
        yield str(error)
        return
    yield from _of_figures(figures, rulers, part)
    for checked in (_of_verdict(figures, folder, part), _of_scores(figures, part, workspace)):
        try:
            yield from checked
        except MnistganError as error:
            yield str(error)
    yield from _of_classes(figures, part, workspace)


def _of_figures(figures: Any, rulers: Mapping[str, Mapping[str, Any]], part: Part) -> Iterator[str]:
    path = part.options["metrics"]
    asked = part.params.get(str(layout.PARAMS), {}).get("evaluate", {})
    if not isinstance(figures, dict) or not isinstance(figures.get("pins"), str):
        yield f"{path}: names no pins; {REPRO}"
        return
    if figures.get("samples") != asked.get("samples"):
        yield f"{path}: measured {figures.get('samples')} samples, recorded params say {asked.get('samples')}; {REPRO}"
    try:
        expected = pins_of(rulers, asked)
        check_same(figures["pins"], expected)
    except (KeyError, TypeError) as error:
        yield f"{part.rulers}: a card lacks {error}; restore it with git"
    except MnistganError as error:
        yield f"{path}: {error}"


def _of_verdict(figures: Any, rulers: Path, part: Part) -> Iterator[str]:
    """Checks the metrics file against itself: its verdict, its intervals, and its relative FID."""
    from mnistgan.evaluation import verdict
    from mnistgan.metrics.checks import DIGITS

    path = part.options["metrics"]
    found = Figures.of(figures, str(path))
    names = DIGITS if "classes" in figures else ()
    limits = verdict.load(rulers, bool(names)).limits if (rulers / verdict.FILE).exists() else None
    wrong = (broken_interval(metric, found.leaves) for metric in KNOWN.values() if metric.name in found.leaves)
    yield from (f"{path}: {said}; {REPRO}" for said in wrong if said)
    for metric in (metric for metric in KNOWN.values() if metric.relative):
        value, *over = (found.leaves.get(name, math.nan) for name in (metric.name, *(metric.relative or ())))
        if all(map(math.isfinite, (value, *over))) and not math.isclose(math.prod(over), value, rel_tol=ROUNDING):
            yield f"{path}: {metric.short} is {value:g}, yet {over[0]:g} times {over[1]:g}; {REPRO}"
    if limits is None:
        return
    try:
        expected = tuple(verdict.faults(figures, limits, names)) or (verdict.HEALTHY,)
    except (KeyError, TypeError) as error:
        yield f"{path}: lacks {error}, which its verdict rests on; {REPRO}"
        return
    if set(found.findings) != set(expected):
        yield f"{path}: its verdict is {found.verdict}, its figures say {' and '.join(expected)}; {REPRO}"


def _of_scores(figures: Any, part: Part, workspace: Path) -> Iterator[str]:
    path = part.options.get("scores")
    if path is None or not (workspace / path).is_file():
        return
    from mnistgan.evaluation.verdict import scores
    from mnistgan.files import read_json

    try:
        if read_json(workspace / path) != scores(figures):
            yield f"{path}: not the figures of {part.options['metrics']}; {REPRO}"
    except (KeyError, TypeError) as error:
        yield f"{part.options['metrics']}: lacks {error}, which is a score; {REPRO}"


def _of_classes(figures: Any, part: Part, workspace: Path) -> Iterator[str]:
    """Checks the class balance among the figures against the shares that it comes from."""
    path = part.options.get("classes")
    if path is None or not (workspace / path).is_file():
        return
    try:
        held = Shares.parse((workspace / path).read_text("utf-8", "replace"), str(path))
        if not held.prior and "classes" not in figures:  # of data without
            return
        of_digits = list(zip(held.share, held.prior, strict=True))
        smallest = min(share / prior for share, prior in of_digits)
        said = float(figures["classes"]["smallest_ratio"])
        missed = abs(min(share - said * prior for share, prior in of_digits))
    except FormatError as error:
        yield f"{error}; restore it with git"
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        yield f"{part.options['metrics']}, {path}: tell no class balance; {REPRO}"
    else:
        if not missed <= SHARE_ROUNDING:  # NaN is no match
            yield f"{part.options['metrics']}: smallest_ratio is {said:g}, by {path} it is {smallest:g}; {REPRO}"


def pins_of(rulers: Mapping[str, Mapping[str, Any]], asked: Mapping[str, Any]) -> str:
    classifier, pixels = (rulers[name] for name in RULERS)
    splits: Sequence[str] = [classifier["data"][split]["sha256"] for split in ("train", "validation", "test")]
    layers = list(classifier["layers"])
    return str(pins(classifier["sha256"], layers, pixels["sha256"], splits, asked["samples"], asked["latent_seed"]))


def pins_to_write(parts: Mapping[str, Part], workspace: Path = Path()) -> str:
    """Makes the pins that evaluate would write, by the rulers' cards. Raises RulerError where there are none."""
    from mnistgan.files import read_json
    from mnistgan.rulers.cards import card_path

    evaluate = former.parts(parts)["evaluate"]
    if evaluate.rulers is None:
        raise RulerError(f"{layout.PIPELINE}: evaluate depends on no folder of rulers")
    folder = workspace / evaluate.rulers
    cards = {name: read_json(card_path(folder, name)) for name in RULERS}
    return pins_of(cards, evaluate.params[str(layout.PARAMS)]["evaluate"])
