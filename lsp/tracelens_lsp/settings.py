"""What the user can switch in the editor, from initializationOptions and workspace/configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from tracelens.answers.hints import Which

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    inlay_hints: Which = "hot"
    code_lens: bool = True
    diagnostics: bool = True
    unreached: bool = False
    """Also report functions that no run reached."""
    index_on_save: bool = True
    project_python: str = ""
    """Interpreter of the user's programs, as the client found it; "" leaves it to the command line's own rules."""


def updated(settings: Settings, said: object, *, initial: bool = False) -> Settings:
    """The settings with what a client says; what is not understood is logged and left as it was.

    The interpreter runs code, so it is taken only from what the client said when it started us, never from
    configuration that may come from the workspace.
    """
    if not isinstance(said, Mapping):
        return settings
    hints = said.get("inlayHints")
    if hints in ("off", "hot", "all"):
        settings = replace(settings, inlay_hints=cast(Which, hints))
    elif hints is not None:
        _log.warning("inlayHints must be off, hot or all, not %r", hints)
    if (lenses := _enabled(said, "codeLens")) is not None:
        settings = replace(settings, code_lens=lenses)
    if (diagnostics := _enabled(said, "diagnostics")) is not None:
        settings = replace(settings, diagnostics=diagnostics)
    told = said.get("diagnostics")
    if isinstance(told, Mapping) and isinstance(told.get("unreached"), bool):
        settings = replace(settings, unreached=bool(told["unreached"]))
    if (on_save := _enabled(said, "indexOnSave")) is not None:
        settings = replace(settings, index_on_save=on_save)
    python = said.get("projectInterpreter")
    if initial and isinstance(python, str):
        settings = replace(settings, project_python=python)
    return settings


def _enabled(said: Mapping[str, Any], name: str) -> bool | None:
    """{"codeLens": {"enabled": false}}, or shorter {"codeLens": false}."""
    value = said.get(name)
    if isinstance(value, Mapping):
        value = value.get("enabled")
    if value is not None and not isinstance(value, bool):
        _log.warning("%s.enabled must be true or false, not %r", name, value)
        return None
    return value
