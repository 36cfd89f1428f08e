"""Holds all that a training carries from one step to the next, in one object."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnistgan.errors import CheckpointError
from mnistgan.families.contract import CommonRecipe, Family, Parts, Spec
from mnistgan.metrics.looks import Look
from mnistgan.nn import weights


class Average:
    """The exponential average of the drawing network's trainable weights over steps.

    It steadies what a GAN's generator draws (Yazıcı et al., arXiv 1806.04498), and most other networks.
    """

    def __init__(self, network: keras.Model, decay: float):
        self.network = network
        self.decay = decay
        self.weights = [tf.Variable(weight, trainable=False) for weight in network.trainable_variables]

    def update(self, step: tf.Tensor) -> None:
        """Moves by 1 - min(decay, (1 + t) / (10 + t)), ``step`` t from 0: a ramp by which the first weights fade."""
        t = tf.cast(step, tf.float32)
        keep = tf.minimum(self.decay, (1.0 + t) / (10.0 + t))
        for average, weight in zip(self.weights, self.network.trainable_variables, strict=True):
            average.assign_sub((1.0 - keep) * (average - weight))

    def copy_to(self, network: keras.Model) -> None:
        """Sets a network's trainable weights to the average; its BatchNorm statistics stay."""
        for average, weight in zip(self.weights, network.trainable_variables, strict=True):
            weight.assign(average)


@dataclass
class TrainingState:
    """A family's parts, the average of what draws, the step, the curves and the looks so far, and the best weights.

    ``scalars`` are the steps since the last row of the curves, float32 [n, scalars]; ``rows`` the rows before them.
    ``best`` are the weights by name of the network that draws, as the best of the ``looks`` saw it; empty before the
    first.
    """

    parts: Parts
    average: Average | None
    step: int = 0
    scalars: list[list[float]] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    best: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def start(cls, family: Family[Any], recipe: CommonRecipe, spec: Spec, seed: int) -> "TrainingState":
        """The state before the first step. Raises ValueError where a network hides a random state from checkpoints."""
        parts = family.build(recipe, spec, seed)
        for name, network in parts.networks.items():
            if len(network.variables) != len(network.weights):
                raise ValueError(f"{name}: hides a random state (Keras's Dropout?); take nn.layers.stateless_dropout")
        sampled = parts.networks[parts.sampled]
        return cls(parts, Average(sampled, recipe.average_decay) if recipe.average_decay else None)

    @property
    def sampled(self) -> keras.Model:
        """The network that draws, as it is trained."""
        return self.parts.networks[self.parts.sampled]

    def arrays(self) -> dict[str, np.ndarray]:
        """The whole state as named plain arrays."""
        named = {}
        for part, network in self.parts.networks.items():
            named.update({f"{part}/{name}": array for name, array in weights.arrays(network).items()})
        for part, variables in self._variables().items():
            named.update({f"{part}/{place}": variable.numpy() for place, variable in enumerate(variables)})
        named.update({f"best/{name}": array for name, array in self.best.items()})
        looks = [asdict(look) for look in self.looks]
        progress = {"step": self.step, "scalars": self.scalars, "rows": self.rows, "looks": looks}
        named["progress"] = np.array(json.dumps(progress))
        return named

    def restore(self, named: dict[str, np.ndarray], source: str) -> None:
        """Takes all over, or nothing. Raises CheckpointError without a part, FormatError for other weights."""
        networks = [(network, _of_part(part, named)) for part, network in self.parts.networks.items()]
        for network, own in networks:
            weights.check(network, own, source)
        try:
            progress: dict[str, Any] = json.loads(str(named["progress"]))
            step, scalars, rows = progress["step"], progress["scalars"], progress["rows"]
            looks = [Look(**look) for look in progress["looks"]]
            moved = [
                (variable, named[f"{part}/{place}"])
                for part, variables in self._variables().items()
                for place, variable in enumerate(variables)
            ]
        except (KeyError, ValueError, TypeError) as error:
            raise CheckpointError(f"{source}: not a whole training state: {error}") from error
        best = _of_part("best", named)
        if looks:
            weights.check(self.sampled, best, f"{source}, best")
        for variable, array in moved:
            wanted = variable.dtype.as_numpy_dtype
            if array.shape != tuple(variable.shape) or array.dtype != wanted:
                raise CheckpointError(
                    f"{source}: holds {array.dtype} {array.shape}; takes {np.dtype(wanted)} {variable.shape}"
                )
        for network, own in networks:
            weights.load(network, own, source)
        for variable, array in moved:
            variable.assign(array)
        self.step, self.scalars, self.rows, self.looks, self.best = step, scalars, rows, looks, best

    def _variables(self) -> dict[str, Sequence[tf.Variable]]:
        """Variables that are no network's weights, by group: moments, the average, the family's plain ones."""
        moments = {
            f"{name}_{moment}": getattr(optimizer, moment)
            for name, optimizer in self.parts.optimizers.items()
            for moment in ("first", "second")
        }
        return {**moments, "average": self.average.weights if self.average else [], **self.parts.variables}


def _of_part(part: str, named: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    prefix = f"{part}/"
    return {name.removeprefix(prefix): array for name, array in named.items() if name.startswith(prefix)}
