"""Declares the knobs of a conditional GAN's training."""

from pydantic import Field, field_validator

from mnistgan.families.contract import CommonRecipe


class Recipe(CommonRecipe):
    """Knobs of a conditional GAN's training, in full."""

    discriminator_rate: float = Field(
        gt=0, le=100, description="the discriminator's learning rate over the generator's"
    )
    dropout: float = Field(
        ge=0, lt=1, description="share of values dropped after each convolution of the discriminator"
    )
    gradient_penalty: float = Field(ge=0, le=1000, description="weight of R1 in the discriminator's loss")

    def without_labels(self) -> None:
        """There is no such one: it is told which class to draw."""

    @field_validator("recompute_batchnorm")
    @classmethod
    def _of_latents_alone(cls, value: bool) -> bool:
        if value:
            raise ValueError("should be false: statistics are measured afresh of latents alone, and this takes classes")
        return value
