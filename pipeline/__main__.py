"""``python -m pipeline``: every command, and the one place where an error becomes an exit code.

Exit codes: 0 done, the gate passed; 1 the gate failed, or what is there is not what was recorded; 2 bad params, bad
data, bad use, or a disk that refuses; 3 the gate is inconclusive; 130 interrupted, resumable.
"""

import errno
import signal
import sys

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]  # what add_completion would call

from mnistgan.errors import Interrupted, MnistganError
from pipeline import (
    check,
    classifier,
    controls,
    diff,
    evaluate,
    gate,
    generate,
    prepare,
    render,
    repair,
    report,
    seeds,
    sync,
    trace,
    train,
    ui,
    verify,
)

app = typer.Typer(
    name="python -m pipeline",
    help="Prepare MNIST, train a DCGAN, measure it and draw it; each stage is a command that dvc.yaml runs.",
    no_args_is_help=True,
    add_completion=False,  # it would install one for a program whose name has no spaces; see COMPLETION
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMPLETION = "_PIPELINE_COMPLETE"  # the environment variable by which scripts/completion.sh asks what may follow
DISK_REFUSES = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}
STAGES = (prepare.prepare, train.train, evaluate.evaluate, render.render)
COMMANDS = (
    check.check,
    classifier.classifier,
    controls.controls,
    diff.diff,
    gate.gate,
    generate.generate,
    repair.repair,
    report.report,
    seeds.seeds,
    sync.sync,
    trace.trace,
    ui.ui,
    verify.verify,
)
for command in (*STAGES, *COMMANDS):
    app.command()(command)


def main() -> None:
    """Run the command line; the project's own errors become one message on stderr and their exit code.

    SIGTERM ends it as Ctrl-C does, so that what is half-written is removed and children are ended.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # who starts a process may have it ignored
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    completion_init()
    try:
        app(complete_var=COMPLETION)
    except MnistganError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(Interrupted.exit_code)
    except OSError as error:
        if error.errno not in DISK_REFUSES:
            raise
        print(f"error: {error.filename or 'a file'}: can't be read or written: {error.strerror}", file=sys.stderr)
        sys.exit(MnistganError.exit_code)


if __name__ == "__main__":
    main()
