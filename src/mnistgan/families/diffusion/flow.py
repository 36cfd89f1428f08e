"""The flow itself, for any network: lines from noise (t = 0) to data (t = 1), the loss along them, the way back."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

LEAST_LEFT = 0.05
"""The time left to the end counts as this at least: an error of the guess weighs by its inverse square in the loss."""


def velocity(guess: Any, there: Any, time: Any) -> Any:
    """The velocity, at a point ``there`` and a time, of the line that ends at ``guess``; a tensor of any library."""
    return (guess - there) / _left(time)


def flow_loss(
    guess: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], noise: tf.Tensor, data: tf.Tensor, time: tf.Tensor
) -> tf.Tensor:
    """Mean square error of the velocity that ``guess(there, time)`` gives, where data float32 [B, ...]; scalar >= 0.

    ``time`` float32 [B] in (0, 1) is how far along the line from its noise each point is. The guess of the least loss
    is the mean of the data whose lines pass there, so that the velocity carries noise into data as a whole.
    """
    time = tf.reshape(time, [-1, *[1] * (len(data.shape) - 1)])
    there = (1 - time) * noise + time * data
    guessed = guess(there, tf.reshape(time, [-1, 1]))
    return tf.reduce_mean((velocity(guessed, there, time) - velocity(data, there, time)) ** 2)


def adams_bashforth(velocity: Callable[[Any, float], Any], x: Any, steps: int) -> list[Any]:
    """Follows ``velocity(x, t)`` from t = 0 to 1 by the two-step method of Adams and Bashforth, of second order.

    Returns all points of the way: ``x``, then where each step leads. One velocity a step, as Euler's method has, which
    makes the first step: there is none before it to go by.
    """
    size, before, points = 1 / steps, None, [x]
    for place in range(steps):
        here = velocity(x, place * size)
        x = x + size * (here if before is None else 1.5 * here - 0.5 * before)
        before = here
        points.append(x)
    return points


def _left(time: Any) -> Any:
    return max(1 - time, LEAST_LEFT) if isinstance(time, float) else tf.maximum(1 - time, LEAST_LEFT)
