"""Makes and pins the rulers of a data set, and what depends on them: its unit and its controls."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistgan.errors import RulerError
from mnistgan.progress import Progress
from pipeline import console, places
from pipeline.commands import prepare
from pipeline.commands.dataset import controls
from pipeline.places import Out
from pipeline.runtime import load_tensorflow
from pipeline.stage import PARAMS, Verbose

if TYPE_CHECKING:
    from mnistgan.evaluation.fitting import Settings
    from mnistgan.rulers.real import RealData

PINNED = Path("pretrained")


def rulers(
    dataset: controls.Named = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for them; pretrained/NAME, where they count, if left out."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make anew what is there already of the same data.")] = False,
    cache: prepare.Cache = None,
    images: prepare.OwnImages = None,
    verbose: Verbose = False,
) -> None:
    """Make and pin a data set's rulers, its unit and its controls.

    It takes 20 to 40 minutes on 2 cores; stopped, the same command goes on at the epoch or control that it was at. The
    classifier, whose penultimate layer and logits FID is measured on, is trained on the training images alone; the
    pixel ruler is fitted on the same. Each gets a card: data, training, accuracy, blind spots. Where the data set names
    no class whose absence is the unit, the one of the upper median FID is chosen and written to its file. Images
    without labels get the pixel ruler alone, in the classifier's place too, and the floor is their unit. Then controls
    are measured by them. The same data, machine and versions give the same bytes. Other rulers give other figures, so
    everything measured before must then be measured again.
    """
    from mnistgan.params import load

    params = load(PARAMS, dataset=dataset)
    real = controls.real_data(params, cache, images)
    pinned = PINNED / params.data.name
    folder = out or pinned
    places.demand({"out": (folder, Out(".npz", folder=True, own=pinned))})
    load_tensorflow(verbose)
    from mnistgan.datasets import contract
    from mnistgan.evaluation import faults, fitting, making
    from mnistgan.rulers import cards

    faults.spread_sets(real, params.evaluate.samples)  # refuses what controls have no room for before all else
    recipe = fitting.Settings(**params.dataset.classifier.model_dump())
    fitting.make_deterministic(recipe)
    is_made = not fresh and _fit(folder, real)
    with console.progress() as progress:
        if not is_made:
            real = _make(folder, real, recipe, progress)
        elif _needs_unit(real):
            real = making.with_missing_class(real, cards.read(folder, "classifier")[1]["absences"])
    if real.facts != params.dataset:
        contract.write_missing_class(params.data.name, real.facts)
    if fresh or not controls.are_measured(folder, real.facts):
        controls.measure(params.data.name, real, folder, params.evaluate.samples)
    if not real.facts.classes:
        console.summary(
            f"rulers of {real.facts.title} in {folder}: of pixels alone, for it has no classes; unit: floor"
        )
        return
    accuracy = cards.read(folder, "classifier")[1]["accuracy"]["test"]["value"]
    console.summary(
        f"rulers of {real.facts.title} in {folder}: accuracy {accuracy:.2%} on test, "
        f"unit: no {real.missing_name}{'' if out is None else _beside(folder, pinned, real)}"
    )


def _needs_unit(real: "RealData") -> bool:
    return bool(real.facts.classes) and real.facts.missing_class is None


def _fit(folder: Path, real: "RealData") -> bool:
    """Whether a folder holds both rulers whole, made of this very data."""
    from mnistgan.rulers import cards, classifier, pixels

    try:
        cards.demand_data(folder, real.named_digests)
        return bool(classifier.load(folder) and pixels.load(folder))
    except RulerError:
        return False


def _make(folder: Path, real: "RealData", recipe: "Settings", progress: Progress) -> "RealData":
    """Makes both rulers and writes them in one; returns the data with the unit's class chosen."""
    from mnistgan import files
    from mnistgan.evaluation import making
    from mnistgan.rulers import cards

    state = controls.KEPT / f"classifier-{real.train.digest[:12]}.npz"
    classifier = making.make_classifier(real, recipe, progress, state) if real.facts.classes else making.stand_in(real)
    if _needs_unit(real):
        real = making.with_missing_class(real, classifier.card["absences"])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as place:  # there it was tried whether there is room
        for ruler in (classifier, making.make_pixels(real)):
            cards.save(Path(place), ruler.name, ruler.arrays, ruler.card)
        files.write_all({folder / path.name: path.read_bytes() for path in sorted(Path(place).iterdir())})
    state.unlink(missing_ok=True)  # of data without classes there is none
    return real


def _beside(folder: Path, pinned: Path, real: "RealData") -> str:
    """Says how rulers made elsewhere differ from the pinned ones, where there are any."""
    from mnistgan.evaluation import making

    if folder.resolve() == pinned.resolve() or not pinned.is_dir():
        return ""
    found = making.compare(folder, pinned, real.test)
    return (
        f" (pinned {found.pinned_accuracy:.2%}), the two agree on {found.agreement:.2%}; "
        f"classifier's arrays {_same(found.same_classifier)}, pixel ruler's {_same(found.same_pixels)}"
    )


def _same(same: bool) -> str:
    return "the pinned ones" if same else "differ"
