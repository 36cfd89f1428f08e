"""Runs ``python -m pipeline``: registers every command, and turns each error into a message and an exit code.

Exit codes: 0 done, the gate passed; 1 the gate failed, or what is there is not what was recorded; 2 bad params, bad
data, bad use, or a disk that refuses; 3 the gate is inconclusive; 70 a bug; 75 this machine can't do a job that another
may; 130 interrupted, resumable.
"""

import errno
import functools
import importlib
import pkgutil
import signal
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mnistgan.errors import Interrupted, MnistganError, UsageError
from pipeline import console

try:
    import typer
    from typer._click.exceptions import ClickException  # private: of typer 0.29.2's own click, exported nowhere
    from typer.completion import completion_init  # type: ignore[attr-defined]  # what add_completion would call
    from typer.core import TyperGroup
except ImportError as error:
    sys.exit(console.lacking(error))

from pipeline import commands, environment
from pipeline.dvcfiles import layout

COMPLETION = "_PIPELINE_COMPLETE"  # the environment variable by which scripts/completion.sh asks what may follow
BUG = 70  # EX_SOFTWARE of sysexits.h: Python's own 1 would be a verdict here
DISK_REFUSES = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}
DISK_REFUSES |= {errno.ENOENT, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
STAGES = ("prepare", "train", "evaluate", "render")  # shown first, in this order
RENAMED = {name: f"dataset {name}" for name in ("controls", "rulers")}
RENAMED |= {name: f"model {name}" for name in ("export", "publish", "serve")}
RENAMED |= {"work": "jobs run", "worker": "jobs worker", "scheduler": "jobs scheduler"}
RENAMED |= {"power": "seeds power", "repair": "check --repair"}
"""What a command is called now, by its former name."""


class _Commands(TyperGroup):
    """The commands; who types a former name is told the present one."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in RENAMED:
            raise UsageError(f"`{cmd_name}` is now `python -m pipeline {RENAMED[cmd_name]}`")
        return super().get_command(ctx, cmd_name)


app = typer.Typer(
    name="python -m pipeline",
    cls=_Commands,
    help="Prepare MNIST, train a generative model, measure it and draw it; dvc.yaml runs the first four as stages.",
    no_args_is_help=True,
    add_completion=False,  # it would install one for a program whose name has no spaces; see COMPLETION
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _at_root(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a command so that it is refused in a folder below its repository's root: its paths are dvc.yaml's."""

    @functools.wraps(command)
    def run(**options: Any) -> Any:
        layout.check_at_root()
        return command(**options)

    return run


def _register(group: typer.Typer, folder: ModuleType) -> None:
    """Adds a folder's commands to a group, a file each; after them its own folders, each a group of commands."""
    is_group = {each.name: each.ispkg for each in pkgutil.iter_modules(folder.__path__)}
    for name in sorted(is_group, key=(*STAGES, *is_group).index):
        module = importlib.import_module(f"{folder.__name__}.{name}")
        if is_group[name]:
            inner = typer.Typer(name=name, help=module.__doc__, no_args_is_help=True)
            _register(inner, module)
            group.add_typer(inner)
        else:
            group.command()(_at_root(getattr(module, name)))


_register(app, commands)


def main() -> None:
    """Runs the command line; the project's own errors become one message on stderr and their exit code.

    SIGTERM ends it as Ctrl-C does, so that what is half-written is removed and children are ended.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # who starts a process may have it ignored
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        environment.settle()
        completion_init()
        sys.exit(app(complete_var=COMPLETION, standalone_mode=False))
    except KeyboardInterrupt:
        sys.exit(Interrupted.exit_code)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # of which typer makes a 1
            sys.exit(_report_error(ended.__context__))
        raise
    except Exception as error:
        sys.exit(_report_error(error))


def _report_error(error: Exception) -> int:
    """Prints what ended a command; returns its exit code."""
    if isinstance(error, ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, MnistganError):
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, OSError) and error.errno in DISK_REFUSES:
        print(f"error: {error.filename or 'a file'}: can't be read or written: {error.strerror}", file=sys.stderr)
        return MnistganError.exit_code
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] not in ("mnistgan", "pipeline"):
        return console.lacking(error)
    traceback.print_exception(error)
    foremost = error.__cause__ if isinstance(error, typer.Abort) else error  # which typer makes of an EOFError
    said = traceback.format_exception_only(foremost)[-1].strip()
    print(f"error: a bug in this program, not in what it was given (please report it): {said}", file=sys.stderr)
    return BUG


if __name__ == "__main__":
    console.settle()
    main()
