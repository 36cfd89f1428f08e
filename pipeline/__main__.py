"""``python -m pipeline``: every command, and the one place where an error becomes an exit code.

Exit codes: 0 done; 1 a difference was found; 2 bad params, bad data or bad use; 3 inconclusive; 130 interrupted.
"""

import sys

import typer

from mnistgan.errors import MnistganError
from pipeline import check, classifier, evaluate, generate, prepare, render, sync, train, ui

app = typer.Typer(
    name="python -m pipeline",
    help="Prepare MNIST, train a DCGAN, measure it and draw it; each stage is a command that dvc.yaml runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
STAGES = (prepare.prepare, train.train, evaluate.evaluate, render.render)
COMMANDS = (check.check, classifier.classifier, generate.generate, sync.sync, ui.ui)
for command in (*STAGES, *COMMANDS):
    app.command()(command)


def main() -> None:
    """Run the command line; the project's own errors become one message on stderr and their exit code."""
    try:
        app()
    except MnistganError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
