"""Declares the knobs of an autoencoder's training."""

from pydantic import Field, ValidationInfo, field_validator

from mnistgan.families.contract import CommonRecipe


class Recipe(CommonRecipe):
    """Knobs of an autoencoder's training, in full."""

    binarised: bool = Field(description="whether each pixel is drawn black or white, anew each time")
    prior_epochs: int = Field(ge=0, le=9999, description="the last of the epochs, in which the prior is learned")
    prior_batch_size: int = Field(ge=2, le=4096, description="images a step in those")
    prior_rate: float = Field(gt=0, le=1, description="Adam's learning rate in those")

    @field_validator("prior_epochs")
    @classmethod
    def _leaves_some(cls, value: int, others: ValidationInfo) -> int:
        epochs = others.data.get("epochs")
        if isinstance(epochs, int) and value >= epochs:
            raise ValueError(f"should be below {epochs}, the epochs: the encoder and the decoder come first")
        return value
