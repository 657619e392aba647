"""The engine and the command line: what both editors and people are told, and how fixes are made and proved."""

__version__ = "0.1.0"
