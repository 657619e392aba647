"""Recorded values as source: what is written, evaluated again, is the value."""

from __future__ import annotations

import collections
import datetime
import decimal
import json
import math
import pathlib
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tracelens.testgen.literals import Unwritable, Writer, laid_out
from tracelens_recorder.replayable import encode_exactly

PLAIN = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.floats(allow_nan=False),
    some.text(max_size=40),
    some.binary(max_size=20),
    some.decimals(allow_nan=False),
    some.dates(),
    some.datetimes(timezones=some.sampled_from([None, datetime.UTC])),
    some.timedeltas(),
    some.uuids(),
)
KEYS = some.one_of(some.integers(), some.text(max_size=8), some.dates())
VALUES = some.recursive(
    PLAIN,
    lambda inner: some.one_of(
        some.lists(inner, max_size=4),
        some.tuples(inner, inner),
        some.dictionaries(KEYS, inner, max_size=4),
        some.sets(KEYS, max_size=4),
        some.frozensets(KEYS, max_size=4),
    ),
    max_leaves=12,
)


def written(value: Any) -> tuple[str, set[tuple[str, str]]]:
    encoded = encode_exactly(value, ())
    assert encoded is not None
    writer = Writer(Path(), encoded["classes"])
    return laid_out(writer.value(json.loads(json.dumps(encoded["arguments"]))[0][1]), 4), writer.imports


@given(VALUES)
def test_what_is_written_is_the_value(value: Any) -> None:
    try:
        text, imports = written(value)
    except Unwritable as why:
        assert "shared" in str(why) or "redacted" in repr(value)
        return
    known = {name: getattr(__import__(module), name) for module, name in imports}
    made = eval(text, known)
    assert made == value and type(made) is type(value)


def test_containers_of_the_standard_library_are_written() -> None:
    for value in (
        collections.OrderedDict(a=1),
        collections.Counter("aab"),
        collections.defaultdict(list, a=[1]),
        collections.deque([1, 2], maxlen=3),
        pathlib.Path("a/b"),
        decimal.Decimal("1.50"),
        uuid.UUID(int=5),
        math.inf,
        range(3),
        (1,),
    ):
        text, imports = written(value)
        assert eval(text, {name: getattr(__import__(module), name) for module, name in imports}) == value


def test_what_contains_itself_or_hides_a_secret_is_not_written() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for value in (loop, {"token": "[redacted]"}):
        with pytest.raises(Unwritable):
            written(value)
