"""What every stage does around its own work: params checked first, TensorFlow quiet."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from mnistgan.errors import DataError, MetricError, MnistganError

if TYPE_CHECKING:
    from mnistgan.params import Params

PARAMS = Path("params.yaml")
_DECIDED = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,  # no folder: a person's keras.json may ask for float64, channels_first or another epsilon
    "TF_USE_LEGACY_KERAS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",  # another device computes other bytes, and machine.json names the processor
}
"""What the environment would decide of the arithmetic, decided here. provenance.SETTINGS is what stays free."""
_LEFT_OUT = ("TF_XLA_FLAGS", "XLA_FLAGS")  # meant for a compiler that is not used here; at a typo it ends the process

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Let TensorFlow print its own messages too.")]


@contextmanager
def running(name: str) -> Iterator["Params"]:
    """Check params.yaml, then run the block as stage ``name``, journalled and published as it goes.

    Raises ParamsError before anything heavy is loaded, UsageError where DVC would lose what it makes. A DataError gets
    the stage added that makes the file anew.
    """
    from mnistgan.params import load
    from pipeline import environment
    from pipeline.engines import dvc_queue as queueing
    from pipeline.tracking.observing import observed

    params = load(PARAMS)
    queueing.check_own_folder()
    with observed(name), _mending():
        yield environment.with_sources_here(params)


@contextmanager
def naming(*paths: Path) -> Iterator[None]:
    """Have a MetricError name the files whose images it is about; it becomes a DataError."""
    try:
        yield
    except MetricError as error:
        raise DataError(f"{', '.join(map(str, paths))}: {error}") from error


@contextmanager
def _mending() -> Iterator[None]:
    """Have a DataError, which begins with the files that are bad, end with how to make them anew."""
    try:
        yield
    except DataError as error:
        makers = _makers(str(error).partition(": ")[0].split(", "))
        if not makers:
            raise
        raise type(error)(f"{error}; `dvc repro {' '.join(makers)}` makes it anew") from error


def _makers(paths: list[str]) -> list[str]:
    """The stages of dvc.yaml that make these files, in its order; none unless each file has one."""
    from pipeline.dvcfiles import state

    try:
        outs = {out: name for name, stage in state.declared().items() for out in stage.outs}
    except MnistganError:
        return []
    made = {path: name for path in paths for out, name in outs.items() if PurePath(path).is_relative_to(out)}
    return [name for name in dict.fromkeys(outs.values()) if name in made.values()] if len(made) == len(paths) else []


def load_tensorflow(verbose: bool, threads: int | None = None) -> None:
    """Import TensorFlow and, given ``threads`` within an operation, make it deterministic: the same bits every time.

    Its greetings are kept off stderr unless ``verbose``. Whatever a person's Keras is set to, here it is as shipped.
    """
    os.environ.update(_DECIDED)
    for name in _LEFT_OUT:
        os.environ.pop(name, None)
    if not verbose and "tensorflow" not in sys.modules:
        _import_quietly()
    if threads is None:
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()


def _import_quietly() -> None:
    """Import TensorFlow with its greetings caught at the file descriptor: C++ writes them before it reads a log level.

    Should the import fail, they are shown after all.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            import keras  # noqa: F401 - for its import alone
        except BaseException:
            chatter.seek(0)
            os.write(kept, chatter.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
