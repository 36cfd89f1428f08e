"""Makes the rulers anew and compares them with the pinned ones."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pipeline import console
from pipeline.places import Out, tried
from pipeline.runtime import load_tensorflow
from pipeline.stage import Verbose

PINNED = Path("pretrained/mnist")


@tried()
def classifier(
    out: Annotated[
        Path,
        typer.Option(help="Folder for the rulers and their cards; `pretrained/mnist` replaces the pinned ones."),
        Out(".npz", folder=True, own=PINNED),
    ],
    train: Annotated[Path, typer.Option(help="The training images: all that the rulers learn from.")] = Path(
        "data/train.npz"
    ),
    validation: Annotated[Path, typer.Option(help="Chooses the epoch.")] = Path("data/validation.npz"),
    test: Annotated[Path, typer.Option(help="Measured once, after that.")] = Path("data/test.npz"),
    verbose: Verbose = False,
) -> None:
    """Make both rulers anew and compare them with the pinned ones.

    It takes under 10 minutes on 2 cores. The classifier, whose penultimate layer and logits FID is measured on, is
    trained on the training images alone; the pixel ruler is fitted on the same. Each gets a card: data, training,
    accuracy, blind spots. The same data, machine and versions give the same bytes. Pinned rulers stay as they are
    unless --out names their folder; other rulers give other figures, so everything measured before must then be
    measured again.
    """
    load_tensorflow(verbose)
    from mnistgan import files
    from mnistgan.datasets.arrays import load
    from mnistgan.evaluation import fitting, making
    from mnistgan.rulers import cards
    from mnistgan.rulers.real import RealData

    real = RealData(load(train), load(validation), load(test))
    replaced = out.resolve() == PINNED.resolve()
    if not replaced:
        for name in ("classifier", "pixels"):
            cards.read(PINNED, name)  # whether there is anything to compare with is known now, not after minutes
    recipe = fitting.Settings()
    fitting.make_deterministic(recipe)
    with console.progress() as progress:
        made = (making.make_classifier(real, recipe, progress), making.make_pixels(real))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".") as folder:  # there it was tried whether there is room
        for ruler in made:
            cards.save(Path(folder), ruler.name, ruler.arrays, ruler.card)
        files.write_all({out / path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())})
    accuracy = made[0].card["accuracy"]
    summary = f"rulers in {out}: accuracy {accuracy['test']['value']:.2%} on test"
    if not replaced:
        found = making.compare(out, PINNED, real.test)
        summary += (
            f" (pinned {found.pinned_accuracy:.2%}), the two agree on {found.agreement:.2%}; "
            f"classifier's arrays {_same(found.same_classifier)}, pixel ruler's {_same(found.same_pixels)}"
        )
    console.summary(summary)


def _same(same: bool) -> str:
    return "the pinned ones" if same else "differ"
