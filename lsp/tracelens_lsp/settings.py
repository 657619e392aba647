"""What the user can switch in the editor, from initializationOptions and workspace/configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tracelens.answers.hints import Which
    from tracelens.answers.symbols import Which as Listing


from tracelens.answers.hot import Hot

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    inlay_hints: Which = "hot"
    parameter_hints: Which = "hot"
    hot: Hot = field(default_factory=Hot)
    code_lens: bool = True
    most_lenses: int = 20
    """In one file: beyond it they are a wall, and the rest is in hints and hover."""
    document_symbols: Listing = "seen"
    diagnostics: bool = True
    unreached: bool = False
    """Also report functions that no run reached."""
    index_on_save: bool = True
    run: str = ""
    """Which runs are shown until others are chosen, as in answers/choose.py."""
    project_python: str = ""
    """Interpreter of the user's programs, as the client found it; "" leaves it to the command line's own rules."""


def updated(settings: Settings, said: object, *, initial: bool = False) -> Settings:
    """The settings with what a client says; what is not understood is logged and left as it was.

    The interpreter runs code, so it is taken only from what the client said when it started us, never from
    configuration that may come from the workspace.
    """
    if not isinstance(said, Mapping):
        return settings
    if (hints := _which(said, "inlayHints")) is not None:
        settings = replace(settings, inlay_hints=hints)
    if (hints := _which(said, "parameterHints")) is not None:
        settings = replace(settings, parameter_hints=hints)
    listing = said.get("documentSymbols")
    if listing in ("off", "seen", "all"):
        settings = replace(settings, document_symbols=cast("Listing", listing))
    elif listing is not None:
        _log.warning("documentSymbols must be off, seen or all, not %r", listing)
    if (lenses := _enabled(said, "codeLens")) is not None:
        settings = replace(settings, code_lens=lenses)
    if (most := _number(said, "codeLens", "most")) is not None:
        settings = replace(settings, most_lenses=int(most))
    if (functions := _number(said, "hot", "functions")) is not None:
        settings = replace(settings, hot=replace(settings.hot, functions=int(functions)))
    if (percent := _number(said, "hot", "leastPercent")) is not None:
        settings = replace(settings, hot=replace(settings.hot, least_share=percent / 100))
    if (diagnostics := _enabled(said, "diagnostics")) is not None:
        settings = replace(settings, diagnostics=diagnostics)
    told = said.get("diagnostics")
    if isinstance(told, Mapping) and isinstance(told.get("unreached"), bool):
        settings = replace(settings, unreached=bool(told["unreached"]))
    if (on_save := _enabled(said, "indexOnSave")) is not None:
        settings = replace(settings, index_on_save=on_save)
    run = said.get("run")
    if isinstance(run, str):
        settings = replace(settings, run=run)
    python = said.get("projectInterpreter")
    if initial and isinstance(python, str):
        settings = replace(settings, project_python=python)
    return settings


def _which(said: Mapping[str, Any], name: str) -> Which | None:
    value = said.get(name)
    if value in ("off", "hot", "all"):
        return cast("Which", value)
    if value is not None:
        _log.warning("%s must be off, hot or all, not %r", name, value)
    return None


def _number(said: Mapping[str, Any], section: str, name: str) -> float | None:
    """{"codeLens": {"most": 10}}; a number from 0 to 100."""
    inside = said.get(section)
    value = inside.get(name) if isinstance(inside, Mapping) else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        _log.warning("%s.%s must be a number from 0 to 100, not %r", section, name, value)
        return None
    return value


def _enabled(said: Mapping[str, Any], name: str) -> bool | None:
    """{"codeLens": {"enabled": false}}, or shorter {"codeLens": false}."""
    value = said.get(name)
    if isinstance(value, Mapping):
        value = value.get("enabled")
    if value is not None and not isinstance(value, bool):
        _log.warning("%s.enabled must be true or false, not %r", name, value)
        return None
    return value
