import keras
import numpy as np
import pytest
import tensorflow as tf

from mnistgan.nn.layers import FourierConv2DTranspose, bilinear_transforms


@pytest.fixture
def pair():
    """The Fourier layer and Keras's own, with the same kernel."""
    fourier = FourierConv2DTranspose(6, 5)
    plain = keras.layers.Conv2DTranspose(6, 5, padding="same", use_bias=False)
    for layer in (fourier, plain):
        layer.build((None, 7, 7, 4))
    plain.set_weights(fourier.get_weights())
    return fourier, plain


def test_it_computes_what_keras_computes(pair):
    images = tf.random.stateless_normal([3, 7, 7, 4], [1, 2])
    np.testing.assert_allclose(pair[0](images), pair[1](images), atol=1e-5)


def test_its_gradients_are_those_of_keras(pair):
    images = tf.random.stateless_normal([3, 7, 7, 4], [1, 2])
    direction = tf.random.stateless_normal([3, 7, 7, 6], [3, 4])
    gradients = []
    for layer in pair:
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(layer(images) * direction)
        gradients.append(tape.gradient(loss, [images, layer.kernel.value]))
    for fourier, plain in zip(*gradients, strict=True):
        np.testing.assert_allclose(fourier, plain, atol=1e-4)


@pytest.mark.parametrize(("size", "kernel_size"), [(1, 1), (3, 5), (5, 5), (7, 5), (6, 3)])
def test_the_transforms_convolve_as_the_definition_does(size, kernel_size):
    random = np.random.default_rng(0)
    image, kernel = random.standard_normal((size, size)), random.standard_normal((kernel_size, kernel_size))
    of_image, of_kernel, to_result = bilinear_transforms(size, kernel_size)
    result = to_result @ ((of_image @ image.ravel()) * (of_kernel @ kernel.ravel()))
    # By hand: result[p] is the sum of image[q] kernel[p - q + half] over all q for which that is in the kernel.
    half = kernel_size // 2
    expected = np.zeros((size, size))
    for p in np.ndindex(size, size):
        for q in np.ndindex(size, size):
            offset = np.subtract(p, q) + half
            if (offset >= 0).all() and (offset < kernel_size).all():
                expected[p] += image[q] * kernel[tuple(offset)]
    np.testing.assert_allclose(result.reshape(size, size), expected, atol=1e-5)


def test_the_articles_layer_takes_121_products_instead_of_1225():
    assert len(bilinear_transforms(7, 5)[0]) == 121


def test_a_shape_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match=r"takes \[N, size, size, C\]"):
        FourierConv2DTranspose(2, 5).build((None, 7, 6, 3))


def test_an_even_period_is_refused():
    with pytest.raises(ValueError, match="takes an odd one"):
        bilinear_transforms(8, 5)
