import numpy as np
import pytest
import tensorflow as tf

from mnistgan.training.state import TrainingState
from mnistgan.training.step import Steps, products_in
from pipeline import runtime
from tests.specs import MNIST

needs_bfloat16 = pytest.mark.skipif(
    runtime.precision("bfloat16")[0] != "bfloat16", reason="this processor has no instructions for bfloat16"
)


@needs_bfloat16
def test_only_what_is_called_within_is_rounded():
    @tf.function
    def product(a, b):
        return a @ b

    a, b = (tf.random.stateless_normal([256, 256], [0, seed]) for seed in range(2))
    exact = product(a, b).numpy()
    with products_in("bfloat16"):
        rounded = product(a, b).numpy()
    with products_in("float32"):
        assert np.array_equal(product(a, b), exact)
    assert np.array_equal(product(a, b), exact)
    error = np.abs(rounded - exact).mean() / np.abs(exact).mean()
    assert 2**-11 < error < 2**-7  # 8 significant bits: half a unit is 2^-9 of a factor
    assert rounded.dtype == np.float32


@needs_bfloat16
def test_a_recipe_trains_at_its_own_precision(family, recipe, data):
    def trained(precision):
        named = recipe.model_copy(update={"precision": precision, "dropout": 0.0})
        one = Steps(family, named, TrainingState.start(family, named, MNIST, 0), 0, data)
        return one.run(0, 1), one.state.arrays()

    (exact, _), (rounded, arrays) = trained("float32"), trained("bfloat16")
    assert not np.array_equal(exact, rounded)
    np.testing.assert_allclose(exact, rounded, rtol=0.02)
    assert np.array_equal(trained("bfloat16")[0], rounded)
    assert all(array.dtype == np.float32 for name, array in arrays.items() if name != "progress")
