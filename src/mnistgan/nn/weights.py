"""Turns a network's weights into named arrays and back, checked by name and shape."""

import keras
import numpy as np

from mnistgan.errors import FormatError


def names(network: keras.Model) -> list[str]:
    """The name of each weight, in the network's order: ``layer/weight``, or whole paths where two would share one."""
    short = ["/".join(weight.path.split("/")[-2:]) for weight in network.weights]
    return short if len(set(short)) == len(short) else [weight.path for weight in network.weights]


def arrays(network: keras.Model) -> dict[str, np.ndarray]:
    """Every weight by name, float32, copied out of the network."""
    return dict(zip(names(network), network.get_weights(), strict=True))


def load(network: keras.Model, named: dict[str, np.ndarray], source: str) -> None:
    """Sets the network's weights, if they all fit; ``source`` stands in messages. Raises as :func:`check` does."""
    check(network, named, source)
    network.set_weights([named[name] for name in names(network)])


def check(network: keras.Model, named: dict[str, np.ndarray], source: str) -> None:
    """Raises FormatError where a name is missing or unknown, a shape differs, or a value is no finite float32."""
    wanted = {name: tuple(weight.shape) for name, weight in zip(names(network), network.weights, strict=True)}
    if missing := sorted(wanted.keys() - named.keys()):
        raise FormatError(f"{source}: lacks {', '.join(missing)}; takes weights of a {network.name} as `train` writes")
    if unknown := sorted(named.keys() - wanted.keys()):
        raise FormatError(f"{source}: has {', '.join(unknown)}, which no layer of this {network.name} takes")
    for name, shape in wanted.items():
        if named[name].shape != shape:
            raise FormatError(f"{source}: {name} has shape {named[name].shape}; takes {shape}")
        if named[name].dtype != np.float32:
            raise FormatError(f"{source}: {name} holds {named[name].dtype}; takes finite float32")
        if broken := int((~np.isfinite(named[name])).sum()):
            raise FormatError(f"{source}: {name} holds {broken} values that are NaN or infinite; takes finite float32")
