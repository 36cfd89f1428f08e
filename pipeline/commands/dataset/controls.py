"""Measures images with known faults: what each metric sees, and the verdict's thresholds."""

from collections.abc import Mapping, Sequence
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
    from mnistgan.params import Params
    from mnistgan.rulers.real import RealData

Record = dict[str, Any]

PINNED, KEPT = Path("pretrained"), Path(".dvc", "tmp")
TABLES = {"mnist": Path("docs/controls.md")}


Named = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="A folder of datasets/; the one that params.yaml names if left out."),
]


def controls(
    dataset: Named = None,
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
    files.write_all({record: files.as_json(found), table: page(found, name, real.facts).encode()})
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


def page(record: Record, name: str, facts: "DataSet") -> str:
    """Renders the record of a data set as its page of docs/."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from mnistgan.evaluation import faults
    from mnistgan.evaluation.sensitivity import Sensitivity

    sensitivity = Sensitivity(record["controls"]["real"], record["spread"])
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701 - Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("controls.md.jinja").render(
        record=record,
        name=name,
        title="" if name in TABLES else facts.title,
        sets=record.get("spread_sets", faults.SPREAD_SETS),
        columns=[metric for metric in shown(Shown.CONTROLS) if metric.dosed in sensitivity.spread],
        metrics=list(sensitivity.spread),
        sensitivity=sensitivity,
        controls={control: of.what for control, of in faults.controls(facts).items()},
        missing=facts.classes[facts.missing_class or 0] if facts.classes else "",
    )
