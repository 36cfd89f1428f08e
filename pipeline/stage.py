"""What every stage does around its own work: params checked first, TensorFlow quiet."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mnistgan.params import Params

PARAMS = Path("params.yaml")

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Let TensorFlow print its own messages too.")]


@contextmanager
def running(name: str) -> Iterator["Params"]:
    """Check params.yaml, then run the block as stage ``name``, journalled and published as it goes.

    Raises ParamsError before anything heavy is loaded.
    """
    from mnistgan.params import load
    from pipeline.observing import observed

    params = load(PARAMS)
    with observed(name):
        yield params


def load_tensorflow(verbose: bool, threads: int | None = None) -> None:
    """Import TensorFlow and, given ``threads`` within an operation, make it deterministic: the same bits every time.

    Its greetings are kept off stderr unless ``verbose``.
    """
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
