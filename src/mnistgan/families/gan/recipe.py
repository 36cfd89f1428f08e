"""Declares the knobs of a fully connected GAN's training."""

from pydantic import Field

from mnistgan.families.contract import CommonRecipe


class Recipe(CommonRecipe):
    """Knobs of a fully connected GAN's training, in full."""

    discriminator_rate: float = Field(
        gt=0, le=100, description="the discriminator's learning rate over the generator's"
    )
    dropout: float = Field(
        ge=0, lt=1, description="share of values dropped after each hidden layer of the discriminator"
    )
    noise: float = Field(ge=0, le=2, description="spread of the noise on all that the discriminator sees")
    gradient_penalty: float = Field(ge=0, le=1000, description="weight of R1 in the discriminator's loss")
