"""What tests of the families share."""

from tests.training.conftest import data, family, params, recipe

__all__ = ["data", "family", "params", "recipe"]
