import keras
import numpy as np
import tensorflow as tf

from mnistgan.nn.adam import Adam


def test_adam_updates_as_keras_does():
    start = np.array([1.0, -2.0, 3.0], np.float32)
    ours, theirs = tf.Variable(start), keras.Variable(start)
    adam = Adam([ours], beta_1=0.5, beta_2=0.99)
    reference = keras.optimizers.Adam(0.01, beta_1=0.5, beta_2=0.99)
    for now, gradient in enumerate([[0.1, -0.2, 3.0], [0.3, 0.0, -1.0], [-5.0, 0.2, 0.0]]):
        adam.apply([tf.constant(gradient)], tf.constant(now, tf.int64), tf.constant(0.01))
        reference.apply([tf.constant(gradient)], [theirs])
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
