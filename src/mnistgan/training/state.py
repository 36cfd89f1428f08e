"""All that a training carries from one step to the next, in one object."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import keras
import numpy as np

from mnistgan.datasets.idx import CLASSES
from mnistgan.errors import CheckpointError
from mnistgan.families.dcgan.features import Features
from mnistgan.families.dcgan.recipe import Recipe
from mnistgan.families.dcgan.shares import Shares
from mnistgan.families.kinds import KINDS
from mnistgan.nn import weights
from mnistgan.nn.adam import Adam
from mnistgan.training.average import Average
from mnistgan.training.looks import Look


@dataclass
class TrainingState:
    """Both networks, their moments, the average, the shares and features that are followed, the step, the curves and
    the looks so far, and the best weights.

    ``scalars`` are the steps since the last row of the curves, float32 [n, 4]; ``rows`` the rows before them. ``best``
    are the generator's weights by name as the best of the ``looks`` saw them; empty before the first.
    """

    generator: keras.Model
    discriminator: keras.Model
    generator_adam: Adam
    discriminator_adam: Adam
    average: Average | None
    shares: Shares | None
    features: Features | None
    step: int = 0
    scalars: list[list[float]] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    best: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def start(cls, recipe: Recipe, seed: int) -> "TrainingState":
        """The state before the first step: a function of the recipe and the seed."""
        architecture = KINDS[recipe.kind]
        generator = architecture.generator(seed)
        shares = Shares(CLASSES, recipe.subclasses, recipe.multiplier_rate) if recipe.label_weight else None
        discriminator = architecture.discriminator(seed, recipe.dropout, shares.count if shares else 1)
        average = Average(generator, recipe.average_decay) if recipe.average_decay else None
        return cls(
            generator=generator,
            discriminator=discriminator,
            generator_adam=Adam(_values(generator), recipe.beta_1, recipe.beta_2),
            discriminator_adam=Adam(_values(discriminator), recipe.beta_1, recipe.beta_2),
            average=average,
            shares=shares,
            features=Features(architecture.feature_count) if recipe.feature_weight else None,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """The whole state as named plain arrays."""
        named = {}
        for part, network in self._networks().items():
            named.update({f"{part}/{name}": array for name, array in weights.arrays(network).items()})
        for part, variables in self._variables().items():
            named.update({f"{part}/{place}": variable.numpy() for place, variable in enumerate(variables)})
        named.update({f"best/{name}": array for name, array in self.best.items()})
        looks = [asdict(look) for look in self.looks]
        progress = {"step": self.step, "scalars": self.scalars, "rows": self.rows, "looks": looks}
        named["progress"] = np.array(json.dumps(progress))
        return named

    def restore(self, named: dict[str, np.ndarray], source: str) -> None:
        """Take the state over from :meth:`arrays`, whole or not at all; ``source`` stands in messages.

        Raises CheckpointError if it lacks a part, FormatError if weights are not these networks'.
        """
        networks = [(network, _of_part(part, named)) for part, network in self._networks().items()]
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
            weights.check(self.generator, best, f"{source}, best")
        for variable, array in moved:
            if array.shape != tuple(variable.shape) or array.dtype != np.float32:
                raise CheckpointError(f"{source}: holds {array.dtype} {array.shape}; takes float32 {variable.shape}")
        for network, own in networks:
            weights.load(network, own, source)
        for variable, array in moved:
            variable.assign(array)
        self.step, self.scalars, self.rows, self.looks, self.best = step, scalars, rows, looks, best

    def _networks(self) -> dict[str, keras.Model]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    def _variables(self) -> dict[str, list[Any]]:
        """What is no network's weight: moments, the average, and what is followed of shares and features."""
        return {
            "generator_first": self.generator_adam.first,
            "generator_second": self.generator_adam.second,
            "discriminator_first": self.discriminator_adam.first,
            "discriminator_second": self.discriminator_adam.second,
            "average": self.average.weights if self.average else [],
            "shares": [self.shares.real, self.shares.generated, self.shares.multipliers] if self.shares else [],
            "features": [self.features.real, self.features.generated, self.features.variance] if self.features else [],
        }


def _of_part(part: str, named: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with ``part/``, without it."""
    prefix = f"{part}/"
    return {name.removeprefix(prefix): array for name, array in named.items() if name.startswith(prefix)}


def _values(network: keras.Model) -> list[Any]:
    """The TensorFlow variables behind a Keras network's trainable weights."""
    return [weight.value for weight in network.trainable_variables]
