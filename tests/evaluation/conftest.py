"""The same real images and pinned rulers that the rulers' own tests use."""

from tests.rulers.conftest import components, network, real, small

__all__ = ["components", "network", "real", "small"]
