"""The Adam optimizer with its moments in the open (Kingma and Ba, arXiv 1412.6980)."""

from collections.abc import Sequence

import tensorflow as tf

EPSILON = 1e-7  # Keras's default


class Adam:
    """First and second moments of some variables, and the update that uses them.

    The same update as ``keras.optimizers.Adam``, by TensorFlow's one fused kernel a variable, with the step and the
    learning rate as arguments, so that an update is a function of (weights, moments, gradients, step).
    """

    def __init__(self, variables: Sequence[tf.Variable], beta_1: float, beta_2: float):
        self.variables = list(variables)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.first = [tf.Variable(tf.zeros_like(variable), trainable=False) for variable in self.variables]
        self.second = [tf.Variable(tf.zeros_like(variable), trainable=False) for variable in self.variables]

    def apply(self, gradients: Sequence[tf.Tensor], step: tf.Tensor, learning_rate: tf.Tensor) -> None:
        """Updates the variables; ``step`` (int64 scalar) counts from 0."""
        updates = tf.cast(step + 1, tf.float32)
        for variable, first, second, gradient in zip(self.variables, self.first, self.second, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=tf.pow(self.beta_1, updates),
                beta2_power=tf.pow(self.beta_2, updates),
                lr=learning_rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=EPSILON,
                grad=gradient,
            )
