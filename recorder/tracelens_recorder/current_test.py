"""Which test runs, as pytest says it in the environment while it runs one: "tests/test_a.py::test_b (call)".

pytest documents the variable, and sets it in its workers under xdist too: nothing has to be installed, no plugin be
loaded. Whoever counts a call looks whether it is another object than before, which takes one look into a dictionary.
"""

from __future__ import annotations

import os
from typing import Any, Callable

from tracelens_recorder.classes import clean
from tracelens_recorder.redact import redact_text

VARIABLE = "PYTEST_CURRENT_TEST"


def reader() -> Callable[[], object]:
    """A function that gives another object, by identity, when another test or another phase of it runs."""
    environment: Any = os.environ
    key: Any = VARIABLE
    try:  # past the decoding of os.environ, where it is built as CPython builds it
        raw, raw_key = environment._data, environment.encodekey(VARIABLE)
        raw.get(raw_key)
    except Exception:
        return lambda: environment.get(key)
    get = raw.get
    return lambda: get(raw_key)


def said() -> str:
    """The id of the test that runs, as pytest says it; "" none."""
    text = os.environ.get(VARIABLE, "")
    if text.endswith(")") and " (" in text:
        text = text[: text.rindex(" (")]
    return text


def name(text: str) -> str:
    """The same as it is written: bounded, without secrets."""
    return clean(redact_text(text)[0], 400)
