"""Chooses the precision of convolutions and matrix products: bfloat16 where the processor has instructions for it.

TensorFlow's own graph pass puts casts around the operations that gain by it, and may take along what is cheap between
them; weights, moments and running averages stay float32 (mixed precision, Micikevicius et al., arXiv 1710.03740;
bfloat16 has float32's range, so no loss is scaled).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from mnistgan.families.contract import Precision

OPTION = "auto_mixed_precision_onednn_bfloat16"


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Has the compiled functions that are called in this block work at this precision; others stay as they are."""
    before = tf.config.optimizer.get_experimental_options().get(OPTION, False)
    tf.config.optimizer.set_experimental_options({OPTION: precision == "bfloat16"})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({OPTION: before})
