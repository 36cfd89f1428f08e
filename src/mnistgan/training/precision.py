"""Convolutions and matrix products in bfloat16, where the processor has instructions for them.

TensorFlow's own graph pass puts casts around the operations that gain by it, and may take along what is cheap between
them; weights, moments and running averages stay float32 (mixed precision, Micikevicius et al., arXiv 1710.03740;
bfloat16 has float32's range, so no loss is scaled).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from mnistgan.families.contract import Precision

OPTION = "auto_mixed_precision_onednn_bfloat16"
INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16"})


def available(wanted: Precision, cpu: Path = Path("/proc/cpuinfo")) -> Precision:
    """What this processor can do of what is ``wanted``. Without the instructions bfloat16 would be slower, not faster;
    where the system doesn't list them, as outside Linux, there are none.
    """
    return wanted if wanted == "float32" or INSTRUCTIONS & _flags(cpu) else "float32"


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Have the compiled functions that are called in this block work at this precision; others stay as they are."""
    before = tf.config.optimizer.get_experimental_options().get(OPTION, False)
    tf.config.optimizer.set_experimental_options({OPTION: precision == "bfloat16"})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({OPTION: before})


def _flags(cpu: Path) -> frozenset[str]:
    try:
        lines = cpu.read_text("utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())
