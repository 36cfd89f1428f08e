"""Declares the knobs of a DCGAN's training."""

from typing import Self

from pydantic import Field, ValidationInfo, field_validator

from mnistgan.families.contract import CommonRecipe


class Recipe(CommonRecipe):
    """Knobs of a DCGAN's training, in full."""

    discriminator_rate: float = Field(
        gt=0, le=100, description="the discriminator's learning rate over the generator's"
    )
    dropout: float = Field(
        ge=0, lt=1, description="share of values dropped after each convolution of the discriminator"
    )
    gradient_penalty: float = Field(ge=0, le=1000, description="weight of R1 in the discriminator's loss")
    label_weight: float = Field(ge=0, le=100, description="weight of the classes' labels in the losses")
    subclasses: int = Field(ge=1, le=64, description="logits of each class in the discriminator's last layer")
    multiplier_rate: float = Field(ge=0, le=1, description="integral gain, a step, of the class-balance controller")
    feature_weight: float = Field(ge=0, le=1000, description="weight of feature matching in the generator's loss")

    def without_labels(self) -> Self:
        """The same without a label in the losses, as `fast-unlabelled` is `fast`."""
        return self.model_copy(update={"label_weight": 0.0, "subclasses": 1, "multiplier_rate": 0.0})

    @field_validator("subclasses", "multiplier_rate")
    @classmethod
    def _of_labels(cls, value: float, others: ValidationInfo) -> float:
        least = 1 if others.field_name == "subclasses" else 0
        if value > least and others.data.get("label_weight") == 0:
            raise ValueError(f"should be {least} where label_weight is 0: without labels no class has a logit")
        return value
