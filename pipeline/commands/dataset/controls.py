"""Measures images with known faults: what each metric sees, and the verdict's thresholds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistgan.errors import RulerError
from mnistgan.metrics.catalog import Shown, shown
from mnistgan.rulers.pins import pins
from pipeline import console, places
from pipeline.commands import prepare
from pipeline.places import Out
from pipeline.runtime import load_tensorflow
from pipeline.stage import PARAMS, Verbose

if TYPE_CHECKING:
    from mnistgan.datasets.contract import DataSet
    from mnistgan.evaluation.faults import Control
    from mnistgan.evaluation.sensitivity import Sensitivity
    from mnistgan.params import Params
    from mnistgan.rulers.real import RealData

Record = dict[str, Any]

PINNED, KEPT = Path("pretrained"), Path(".dvc", "tmp")
TABLES = {"mnist": Path("docs/controls.md")}


def controls(
    dataset: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A folder of datasets/; the one that params.yaml names if left out."),
    ] = None,
    cache: prepare.Cache = None,
    images: prepare.OwnImages = None,
    verbose: Verbose = False,
) -> None:
    """Measure images with known faults by every metric.

    Some forty sets of real images are spoiled on purpose, from black images to a few copies. It shows what each metric
    sees and to what it is blind, and sets the thresholds of the verdict: half-way between what a dose of 5% of a fault
    gives and what one of 20% does. Stopped, the same command goes on at the set that it was at. Run it again where
    rulers, data or metrics change. It writes pretrained/NAME/controls.json and the page of docs/ that shows it.
    """
    from mnistgan.params import load

    params = load(PARAMS, dataset=dataset)
    real = real_data(params, cache, images)
    load_tensorflow(verbose, params.train.threads)
    count = params.evaluate.samples
    measured = measure(params.data.name, real, PINNED / params.data.name, count)
    console.summary(f"{measured} sets measured; thresholds and figures in {PINNED / params.data.name}")


def real_data(params: "Params", cache: Path | None, images: Path | None) -> "RealData":
    """What prepare would write, in memory, with the data set's facts."""
    from mnistgan.rulers.real import RealData

    return RealData(**prepare.taken(params, cache, images)[0], facts=params.dataset)


def are_measured(folder: Path, facts: "DataSet") -> bool:
    """Whether a folder holds the controls of a data set, measured by its rulers."""
    from mnistgan.evaluation import verdict
    from mnistgan.rulers import cards
    from mnistgan.rulers.classifier import LAYERS

    try:
        digests = {name: cards.read(folder, name)[1][cards.DIGEST] for name in cards.RULERS}
        verdict.load(folder, bool(facts.classes)).demand(
            pins(digests["classifier"], LAYERS, digests["pixels"], (), 0, None)
        )
    except RulerError:
        return False
    return True


def measure(name: str, real: "RealData", folder: Path, count: int) -> int:
    """Measures every set by the rulers in a folder, and writes the record there and its page; returns how many.

    Reports are kept set by set as long as data and rulers stay, so that a call that was stopped is gone on with.
    """
    from mnistgan import files
    from mnistgan.evaluation import faults
    from mnistgan.evaluation.measuring import Reference
    from mnistgan.evaluation.verdict import FILE
    from mnistgan.rulers import classifier, pixels

    record, table = folder / FILE, TABLES.get(name, Path(f"docs/controls/{name}.md"))
    places.demand({"record": (record, Out(".json", own=record)), "table": (table, Out(".md", own=table))})
    with console.progress() as progress:
        network, components = classifier.load(folder), pixels.load(folder)
        pinned = str(pins(network.digest, classifier.LAYERS, components.digest, real.digests, count, None))
        kept = KEPT / f"controls-{pinned}-{real.facts.missing_class}.json"
        reports = files.read_json(kept) if kept.is_file() else {}
        sets = faults.every_set(real, count)
        if missing := [name for name in sets if name not in reports]:
            reference = Reference(real, network, components, count, progress)
        for set_ in missing:
            progress("controls", len(reports), len(sets), set_)
            reports[set_] = reference.measure(sets[set_](real, count), faults.seen(real), "train").report
            files.write_json(kept, reports)
        progress("controls", len(sets), len(sets))
    found = {"pins": pinned, **_record(reports, real.facts, faults.spread_sets(real, count))}
    page = "\n".join(markdown(found, name, real.facts)).encode()
    files.write_all({record: files.as_json(found), table: page})
    kept.unlink()
    return len(sets)


def _record(reports: Mapping[str, Record], facts: "DataSet", chance: Sequence[str]) -> Record:
    from mnistgan.evaluation import faults, sensitivity, verdict

    figures = {name: sensitivity.figures(report) for name, report in reports.items()}
    named = {
        fault: {f"{dose:g}": faults.dosed_name(fault, dose) for dose in faults.DOSES} for fault in faults.dosed(facts)
    }
    limits = verdict.thresholds({fault: {dose: figures[n] for dose, n in row.items()} for fault, row in named.items()})

    def record_of(name: str) -> Record:
        return {"verdict": verdict.verdict(reports[name], limits, facts.classes), **figures[name]}

    return {
        "thresholds": limits,
        "spread": sensitivity.spreads(reports["real"], [reports[name] for name in chance]),
        "spread_sets": len(chance),
        "controls": {name: record_of(name) for name in faults.controls(facts)},
        "doses": {fault: {dose: record_of(name) for dose, name in row.items()} for fault, row in named.items()},
    }


def markdown(record: Record, name: str, facts: "DataSet") -> Iterator[str]:
    """Formats the record of a data set as its page of docs/, line by line."""
    from mnistgan.evaluation import faults
    from mnistgan.evaluation.sensitivity import Sensitivity

    sensitivity = Sensitivity(record["controls"]["real"], record["spread"])
    named, missing = faults.controls(facts), facts.classes[facts.missing_class or 0] if facts.classes else ""
    heading = HEADING if name in TABLES else HEADING_OF.format(title=facts.title) + HEADING.partition("\n")[2]
    yield from heading.format(
        name=name, pins=record["pins"], sets=record.get("spread_sets", faults.SPREAD_SETS)
    ).splitlines()
    yield from ("", "## Controls", "", *_controls(record, named, sensitivity))
    yield from ("", "Blind to each of them, of all metrics:", "")
    for control_name, control in named.items():
        seen = sensitivity.seen_by(record["controls"][control_name])
        blind = [metric for metric in sensitivity.spread if metric not in seen]
        if control_name != "real":
            yield f"- {control.what}: {', '.join(f'`{metric}`' for metric in blind) or 'none'}"
    yield from ("", "## Doses", "", *DOSE_NOTE.splitlines())
    for fault, doses in record["doses"].items():
        yield from (
            "",
            f"### {FAULTS[fault].format(missing=missing)}",
            "",
            *_doses(doses, sensitivity),
        )
    yield from ("", "## Thresholds of the verdict", "", *THRESHOLD_NOTE.splitlines(), "")
    limits = [[f"`{key}`", f"{limit:g}"] for key, limit in record["thresholds"].items()]
    yield from (*_table(["figure", "threshold"], limits), "")


HEADING_OF = "# Which faults do the metrics see in {title}?\n"
HEADING = """# Which faults do the metrics see?

Made by `python -m pipeline dataset controls`; every figure in `pretrained/{name}/controls.json`, pins `{pins}`.

Sets of real images with a known fault, measured like a generator's samples. A figure in **bold** is seen: it stands
five spreads or more from what validation images as they are give. The spread is the standard deviation over {sets}
disjoint sets of training images. FID is relative (docs/rulers.md)."""

DOSE_NOTE = """\
The fault in 1%, 5%, 20% and 50% of the samples (for a missing class: of its samples), with the smallest dose from which
on a metric sees it. Metrics that do not see 50% are left out."""

THRESHOLD_NOTE = """\
Half-way between the figures at 5% and at 20% of the fault. `verdict` in `metrics/evaluation.json` names each figure
that is past its threshold; where there is none, it is `healthy`."""

FAULTS = {
    "copied": "Copies of training images",
    "repeated": "100 images over and over",
    "noised": "Noised",
    "class_removed": "{missing}s left out",
}


def _controls(record: Record, named: "Mapping[str, Control]", sensitivity: "Sensitivity") -> Iterator[str]:
    metrics = [metric for metric in shown(Shown.CONTROLS) if metric.dosed in sensitivity.spread]
    titles = (f"{metric.title}, {metric.unit}" if metric.unit else metric.title for metric in metrics)
    names = [metric.dosed for metric in metrics]
    rows = []
    for name, control in named.items():
        found = record["controls"][name]
        cells = [_cell(found[name], sensitivity.sees(name, found[name])) for name in names]
        rows.append([control.what, found["verdict"], *cells])
    return _table(["images", "verdict", *titles], rows)


def _doses(doses: Mapping[str, Record], sensitivity: "Sensitivity") -> Iterator[str]:
    rows = []
    for metric in sensitivity.spread:
        smallest = sensitivity.smallest_dose(metric, doses)
        if smallest:
            cells = [_cell(found[metric], sensitivity.sees(metric, found[metric])) for found in doses.values()]
            rows.append([f"`{metric}`", f"{sensitivity.real[metric]:.3g}", *cells, f"{float(smallest):.0%}"])
    yield from _table(["metric", "real", *(f"{float(dose):.0%}" for dose in doses), "sees from"], rows)
    yield ""
    yield "Verdicts: " + "; ".join(f"{float(dose):.0%}: {found['verdict']}" for dose, found in doses.items()) + "."


def _cell(value: float, seen: bool) -> str:
    return f"**{value:.3g}**" if seen else f"{value:.3g}"


def _table(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"
