"""Fixes for recorded failures: gathered evidence, candidates from templates or a model, and what re-running says."""

from tracelens.fix.engine import Fix, FixReport, propose
from tracelens.fix.patch import Patch, PatchRefused, apply

__all__ = ["Fix", "FixReport", "Patch", "PatchRefused", "apply", "propose"]
