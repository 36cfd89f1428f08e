"""Measures images with known faults: what each metric sees, and the verdict's thresholds."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistgan.metrics.catalog import Shown, shown
from mnistgan.rulers.pins import pins
from pipeline import console
from pipeline.places import Out, tried
from pipeline.runtime import load_tensorflow
from pipeline.stage import PARAMS, Verbose

if TYPE_CHECKING:
    from mnistgan.evaluation.sensitivity import Sensitivity

Record = dict[str, Any]

RECORD, TABLE = Path("pretrained/mnist/controls.json"), Path("docs/controls.md")


@tried()
def controls(
    train: Annotated[Path, typer.Option(help="Training images: what copies are of.")] = Path("data/train.npz"),
    validation: Annotated[Path, typer.Option(help="Validation images: what the faults are made in.")] = Path(
        "data/validation.npz"
    ),
    test: Annotated[Path, typer.Option(help="Test images: what everything is measured against.")] = Path(
        "data/test.npz"
    ),
    rulers: Annotated[Path, typer.Option(help="Folder of the pinned rulers.")] = Path("pretrained/mnist"),
    record: Annotated[
        Path, typer.Option(help="JSON to write: every figure, and the thresholds."), Out(".json", own=RECORD)
    ] = RECORD,
    table: Annotated[
        Path, typer.Option(help="Markdown to write: the figures as tables."), Out(".md", own=TABLE)
    ] = TABLE,
    verbose: Verbose = False,
) -> None:
    """Measure images with known faults by every metric.

    Some forty sets of real images are spoiled on purpose, from black images to a few copies. It shows what each metric
    sees and to what it is blind, and sets the thresholds of the verdict: half-way between what a dose of 5% of a fault
    gives and what one of 20% does. Run it again where rulers, data or metrics change.
    """
    from mnistgan.params import load

    params = load(PARAMS)
    count = params.evaluate.samples
    with console.progress() as progress:
        load_tensorflow(verbose, params.train.threads)
        from mnistgan import files
        from mnistgan.datasets import arrays
        from mnistgan.evaluation import faults
        from mnistgan.evaluation.measuring import Reference
        from mnistgan.rulers import classifier, pixels
        from mnistgan.rulers.real import RealData

        real = RealData(arrays.load(train), arrays.load(validation), arrays.load(test))
        network, components = classifier.load(rulers), pixels.load(rulers)
        reference = Reference(real, network, components, count, progress)
        reports = {}
        sets = faults.every_set()
        for done, (name, make) in enumerate(sets.items()):
            progress("controls", done, len(sets), name)
            reports[name] = reference.measure(make(real, count), faults.seen(real), "train").report
        progress("controls", len(sets), len(sets))
        pinned = pins(network.digest, classifier.LAYERS, components.digest, real.digests, count, None)
        found = {"pins": str(pinned), **_record(reports)}
        files.write_all({record: files.as_json(found), table: "\n".join(markdown(found)).encode()})
        console.summary(f"{len(sets)} sets measured; thresholds and figures in {record}, tables in {table}")


def _record(reports: Mapping[str, Record]) -> Record:
    from mnistgan.evaluation import faults, sensitivity, verdict

    figures = {name: sensitivity.figures(report) for name, report in reports.items()}
    named = {fault: {f"{dose:g}": faults.dosed_name(fault, dose) for dose in faults.DOSES} for fault in faults.DOSED}
    limits = verdict.thresholds({fault: {dose: figures[n] for dose, n in row.items()} for fault, row in named.items()})

    def record_of(name: str) -> Record:
        return {"verdict": verdict.verdict(reports[name], limits), **figures[name]}

    return {
        "thresholds": limits,
        "spread": sensitivity.spreads(reports["real"], [reports[name] for name in faults.spread_sets()]),
        "controls": {name: record_of(name) for name in faults.CONTROLS},
        "doses": {fault: {dose: record_of(name) for dose, name in row.items()} for fault, row in named.items()},
    }


def markdown(record: Record) -> Iterator[str]:
    """Formats the record as docs/controls.md, line by line."""
    from mnistgan.evaluation import faults
    from mnistgan.evaluation.sensitivity import METRICS, Sensitivity

    sensitivity = Sensitivity(record["controls"]["real"], record["spread"])
    yield from HEADING.format(pins=record["pins"], sets=faults.SPREAD_SETS).splitlines()
    yield from ("", "## Controls", "", *_controls(record, sensitivity))
    yield from ("", "Blind to each of them, of all metrics:", "")
    for name, control in faults.CONTROLS.items():
        blind = [metric for metric in METRICS if metric not in sensitivity.seen_by(record["controls"][name])]
        if name != "real":
            yield f"- {control.what}: {', '.join(f'`{metric}`' for metric in blind) or 'none'}"
    yield from ("", "## Doses", "", *DOSE_NOTE.splitlines())
    for fault, doses in record["doses"].items():
        yield from ("", f"### {FAULTS[fault]}", "", *_doses(doses, sensitivity))
    yield from ("", "## Thresholds of the verdict", "", *THRESHOLD_NOTE.splitlines(), "")
    limits = [[f"`{key}`", f"{limit:g}"] for key, limit in record["thresholds"].items()]
    yield from (*_table(["figure", "threshold"], limits), "")


HEADING = """# Which faults do the metrics see?

Made by `python -m pipeline controls`; every figure in `pretrained/mnist/controls.json`, pins `{pins}`.

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
    "class_removed": "8s left out",
}


def _controls(record: Record, sensitivity: "Sensitivity") -> Iterator[str]:
    from mnistgan.evaluation import faults

    titles = (f"{metric.title}, {metric.unit}" if metric.unit else metric.title for metric in shown(Shown.CONTROLS))
    names = [metric.dosed for metric in shown(Shown.CONTROLS)]
    rows = []
    for name, control in faults.CONTROLS.items():
        found = record["controls"][name]
        cells = [_cell(found[name], sensitivity.sees(name, found[name])) for name in names]
        rows.append([control.what, found["verdict"], *cells])
    return _table(["images", "verdict", *titles], rows)


def _doses(doses: Mapping[str, Record], sensitivity: "Sensitivity") -> Iterator[str]:
    from mnistgan.evaluation.sensitivity import METRICS

    rows = []
    for metric in METRICS:
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
