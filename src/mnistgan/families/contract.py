"""Defines what a family of models is: the data and functions that training, sampling and measuring ask for.

To add a family, make one folder beside this file: ``families/NAME/``, whose ``__init__.py`` holds an object ``family``
of a class derived from :class:`Family`, and ``recipes/NAME.yaml`` with its recipes. Nothing else is touched: families
are found by folder (:func:`mnistgan.families.find`). A whole one, a Gaussian a pixel::

    class Recipe(CommonRecipe):
        least_spread: Annotated[float, Field(gt=0)]

    class Gaussian(Family[Recipe]):
        recipe = Recipe
        scalars = (Scalar("loss", "nats", "negative log-likelihood"),)
        latent_size = 784

        def build_sampled(self, spec, seed, *, plain=False): ...   # a Keras network: what draws
        def build(self, recipe, spec, seed): ...                    # Parts: that network, others, Adam's moments
        def step(self, parts, batch, at, draw): ...                 # one update in place; its scalars

    family = Gaussian()

``__init__.py`` imports no TensorFlow, since ``check`` and ``--help`` read recipes and scalars: methods import it.
Whatever is random in a step comes of ``draw``, whatever is random in a sample of its latents, so that the same params
give the same bytes, stopped and resumed too; Keras's own Dropout, which keeps a hidden state, is refused
(``nn.layers.stateless_dropout`` keeps none). What two families share lives in ``nn/``; none imports another.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol, Self, TypeVar

from pydantic import Field, PlainValidator, ValidationInfo, field_validator

from mnistgan.schema import Section

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from mnistgan.nn.adam import Adam

Precision = Literal["float32", "bfloat16"]


def _images(value: object) -> object:
    if value in ("all", "train") or (type(value) is int and 16 <= value <= 50_000):
        return value
    raise ValueError("should be all, train, or how many of train (16 to 50000)")


class CommonRecipe(Section):
    """Knobs of training that every family shares; a family adds its own."""

    images: Annotated[Literal["all", "train"] | int, PlainValidator(_images)] = Field(description="what it trains on")
    epochs: int = Field(ge=1, le=10000, description="times that each image is seen")
    batch_size: int = Field(ge=2, le=4096, description="images a step")
    learning_rate: float = Field(gt=0, le=1, description="Adam's")
    beta_1: float = Field(ge=0, lt=1, description="Adam's decay of the first moment")
    beta_2: float = Field(ge=0, lt=1, description="Adam's decay of the second moment")
    warmup_steps: int = Field(ge=0, description="steps over which the learning rate rises from 0")
    decay_from: float = Field(ge=0, le=1, description="share of training after which the learning rate falls to 0")
    precision: Precision = Field(description="of the convolutions and matrix products of a training step")
    average_decay: float = Field(ge=0, lt=1, description="decay of the running average of the weights that draw")
    recompute_batchnorm: bool = Field(description="whether BatchNorm's statistics are measured afresh at the end")
    grid_every: int = Field(ge=1, description="epochs between two grids")
    look_every: int = Field(ge=1, description="epochs between two looks at validation")

    def without_labels(self) -> Self | None:
        """The recipe as it trains on images without labels; None where it can't."""
        return self

    @field_validator("batch_size")
    @classmethod
    def _of_images(cls, value: int, others: ValidationInfo) -> int:
        images = others.data.get("images")
        if isinstance(images, int) and value > images:
            raise ValueError(f"should be {images} or less, as many as `images`: a step takes a whole batch")
        return value


Draw = Callable[[int], "tf.Tensor"]
"""The seed, int64 [2], of a step's draw from a stream (0, 1, ...): another for every (seed, stream, step)."""


@dataclass(frozen=True)
class Scalar:
    """One number that a training step reports."""

    name: str  # a column of the curves, as ``loss``
    unit: str  # as ``nats``, ``probability``; what is of one unit may be drawn on one axis
    title: str  # what a person reads in a line or above a chart


@dataclass(frozen=True)
class Chart:
    """A picture of some scalars over epochs."""

    name: str  # of its file, without .png
    title: str
    caption: str
    axis: str  # what the vertical axis says
    lines: Mapping[str, str]  # the legend's text of each scalar, by its name
    levels: tuple[float, ...] = ()
    """Where each line would stand if nothing were learned, or, where there is one, where all would."""
    limits: tuple[float | None, float | None] = (None, None)
    """The ends of the vertical axis, where the values don't decide them."""


@dataclass(frozen=True)
class Spec:
    """The facts of the data that a family needs to build its networks."""

    side: int  # pixels a side; images are float32 [N, side, side, channels] in [-1, 1]
    channels: int
    prior: tuple[float, ...]
    """The share of each class among the data, sum 1; labels are int32, the place in this. None without labels."""

    @classmethod
    def of(cls, counts: Sequence[int]) -> Self:
        """Builds the facts of grey images 28x28, so many of each class."""
        return cls(side=28, channels=1, prior=tuple(count / sum(counts) for count in counts))

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.prior)


@dataclass(frozen=True, eq=False)
class Ask:
    """A request for ``count`` samples, each a function of ``seed`` and its place: fewer are the first of more.

    ``latents`` float32 [count, latent_size] replace those that the seed gives. ``classes`` int32 [count] say which
    class each should show; where none are named they are drawn by the seed, as often as the data has them. ``sources``
    float32 [count, side, side, channels] in [-1, 1] are images to start from, for a family that translates images.
    """

    count: int
    seed: int | Sequence[int] = 0
    classes: np.ndarray | None = None
    sources: np.ndarray | None = None
    latents: np.ndarray | None = None


@dataclass(kw_only=True)
class Parts:
    """All that a training changes step by step. Every variable in it is kept in checkpoints and comes back to the bit.

    A family whose step needs more (its recipe, objects around its variables) derives a class of its own from this.
    """

    networks: Mapping[str, keras.Model]
    sampled: str  # which of the networks draws; its trainable weights are what a recipe's average follows
    optimizers: Mapping[str, Adam]
    variables: Mapping[str, Sequence[tf.Variable]] = field(default_factory=dict)
    """Plain variables, by the name of their group: a buffer, a multiplier."""


class Batch(NamedTuple):
    """What a step sees: images float32 [B, side, side, channels] in [-1, 1] and their labels int32 [B].

    The last batch of an epoch may be short.
    """

    images: tf.Tensor
    labels: tf.Tensor


class At(NamedTuple):
    """Where a training stands: ``step`` (int64 scalar) counts from 0 over all phases, ``first`` (int) is the first of
    this ``phase`` (int, from 0); ``rate`` (float32 scalar) is what the phase's schedule gives.
    """

    step: tf.Tensor
    phase: int
    first: int
    rate: tf.Tensor


@dataclass(frozen=True)
class Phase:
    """So many epochs at one size of batch and one peak of the learning rate."""

    epochs: int
    batch_size: int
    rate: float


R = TypeVar("R", bound=CommonRecipe)


class Family(Protocol[R]):
    """A family of generative models; see the top of this file for how to add one. Methods without a body must be
    given, the others are what suits most.
    """

    recipe: type[R]  # its knobs beside the common ones, their ranges and what they mean
    scalars: tuple[Scalar, ...]  # what :meth:`step` gives, in order
    latent_size: int  # numbers in a latent, N(0, 1) each: all that is random in one sample

    def charts(self) -> Sequence[Chart]:
        """The pictures of a training's curves; one for each unit that a scalar has."""
        units = dict.fromkeys(scalar.unit for scalar in self.scalars)
        grouped = [[scalar for scalar in self.scalars if scalar.unit == unit] for unit in units]
        return [
            Chart(of[0].name, "While training", "", of[0].unit, {scalar.name: scalar.title for scalar in of})
            for of in grouped
        ]

    @abstractmethod
    def build_sampled(self, spec: Spec, seed: int, *, plain: bool = False) -> keras.Model:
        """Builds the network that draws, to load weights into. ``plain``: of Keras's own layers alone, for those who
        load it without this project; the weights are the same."""
        ...

    @abstractmethod
    def build(self, recipe: R, spec: Spec, seed: int) -> Parts:
        """Builds everything as it is before the first step: a function of recipe, data and seed."""
        ...

    def phases(self, recipe: R) -> Sequence[Phase]:
        """Lists a training's phases in order; together they have the recipe's epochs."""
        return (Phase(recipe.epochs, recipe.batch_size, recipe.learning_rate),)

    @abstractmethod
    def step(self, parts: Any, batch: Batch, at: At, draw: Draw) -> tf.Tensor:
        """Makes one update in place; returns the step's scalars, float32 [len(scalars)]. Traced once into a graph."""
        ...

    def sample(
        self,
        sampled: keras.Model,
        latents: np.ndarray,
        classes: np.ndarray,  # noqa: ARG002 - for families that take classes
        sources: np.ndarray | None,  # noqa: ARG002 - for those that translate images
    ) -> tf.Tensor:
        """Draws [N, ...] in the family's own form, from latents float32 [N, latent_size], classes int32 [N] and, where
        there are any, sources float32 [N, side, side, channels]."""
        return sampled(latents, training=False)

    def takes_classes(self, sampled: keras.Model) -> bool:  # noqa: ARG002 - for families that take classes
        """Tells whether what these weights draw shows the class that it is asked for."""
        return False

    def images(self, native: tf.Tensor) -> tf.Tensor:
        """Turns what :meth:`sample` drew into images float32 [N, side, side, channels] in [-1, 1]."""
        return native
