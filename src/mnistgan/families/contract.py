"""Says what a family of models is: its recipe, beside the knobs that every family has."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo, field_validator

Precision = Literal["float32", "bfloat16"]


class Section(BaseModel):
    """The base of every section of a params file: nothing is converted, nothing unknown taken, nothing changed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


def _images(value: object) -> object:
    if value in ("all", "train") or (type(value) is int and 16 <= value <= 50_000):
        return value
    raise ValueError("should be all, train, or how many of train (16 to 50000)")


class CommonRecipe(Section):
    """How a model is trained, as far as families share it; a family adds knobs of its own."""

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

    @field_validator("batch_size")
    @classmethod
    def _of_images(cls, value: int, others: ValidationInfo) -> int:
        images = others.data.get("images")
        if isinstance(images, int) and value > images:
            raise ValueError(f"should be {images} or less, as many as `images`: a step takes a whole batch")
        return value
