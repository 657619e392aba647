"""The recorded shop, shared with the tests of the command line."""

from ..cli.conftest import recorded_shop

__all__ = ["recorded_shop"]
