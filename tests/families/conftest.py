"""What tests of the families share."""

from tests.training.conftest import data, family, recipe

__all__ = ["data", "family", "recipe"]
