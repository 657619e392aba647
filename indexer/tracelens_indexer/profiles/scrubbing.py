"""Redaction of everything that goes into rows, remembered, because values repeat."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tracelens_recorder.redact import redact_text

MAX_TEXT: Final = 200
MAX_REPLAY: Final = 64 * 1024
_REMEMBERED: Final = 20_000


class Scrubber:
    """Cuts and redacts texts, and counts what it redacted."""

    def __init__(self) -> None:
        self.redacted = 0
        self._known: dict[str, tuple[str, int]] = {}

    def text(self, text: str, limit: int = MAX_TEXT, times: int = 1) -> str:
        """The text as it may be stored; `times`: so often it occurred."""
        if not text:
            return ""
        found = self._known.get(text)
        if found is None:
            # Cut after scrubbing: a secret that the cut goes through would not be recognised.
            clean, n = redact_text(text[: limit * 8])
            if len(clean) > limit:
                clean = clean[: limit - 1] + "…"
            found = clean, n
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[text] = found
        self.redacted += found[1] * times
        return found[0]

    def hides(self, text: str) -> bool:
        """Whether a number's own text is a secret, such as the number of a card: then its value is one as well."""
        return bool(redact_text(text)[1])

    def replay(self, encoded: dict[str, Any] | None) -> str:
        """The replayable arguments as JSON; "" when there are none, or too large, or with a secret in them."""
        if not encoded:
            return ""
        try:
            text = msgspec.json.encode(encoded).decode()
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
            return ""
        if len(text) > MAX_REPLAY:
            return ""
        n = redact_text(_without_clock(encoded, text))[1]
        self.redacted += n
        return "" if n else text


def _without_clock(encoded: dict[str, Any], text: str) -> str:
    """The JSON without the recorder's own readings of the clock, which may look like the number of a card."""
    world = encoded.get("world")
    clock = world.get("clock") if isinstance(world, dict) else None
    if not isinstance(world, dict) or type(clock) is not list or any(type(reading) is not int for reading in clock):
        return text
    return msgspec.json.encode({**encoded, "world": {**world, "clock": None}}).decode()
