"""Profile rows as the store keeps them: what is asked for as a whole lies together, packed.

A unit's values and its kept calls are read when somebody looks at that unit, all of them at once. As rows of a table
they took four times the room, and most of the time of an import. Totals, edges and failures stay rows: they are
asked for across units. The same bytes go into the run file and the database.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from itertools import accumulate

import msgspec

from tracelens_indexer.profiles.rows import (
    AnchorKey,
    CaptureRow,
    EdgeRow,
    FailureRow,
    SiteRow,
    SlotRow,
    UnitProfile,
    UnitRow,
    ValueRow,
)

_LEVEL = 6
_USUAL = (
    b'"message":"","line":0,"caller":null,"test":"tests/test_"caller":[".py","","test":""}'
    b'{"arguments":[["self","","<object>"],["value","dict","{}"],["name","str","\'\'"],["count","float","0.0"],["flag",'
    b'"bool","True"],["items","list","[]"]],"result":["NoneType","None"],"message":"","line":0,"caller":["'
    b"ValueError\xa8KeyError\xa9TypeError\xa4bool\xa4True\xa0\xa5False\xa8NoneType\xa4None\xa0\xa5value\xa4list\xa4size"
    b"\xa4dict\xa4size\xa6return\xa5float\xa6return\xa3str\xa4size\xa3str\xa2''\xa0\x01\x96\xa6return\xa3int\xa5value\xa3int\xa10\xa0\x01\x95"
)
"""What most of these hold, for the compressor to refer to: a unit alone is too small for it to find out. Changing it is
a change of the format."""


class Observed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was seen of the values of one unit in one run."""

    values: list[ValueRow] = []
    slots: list[SlotRow] = []
    sites: list[SiteRow] = []


class Packed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All rows of one anchor. `b""`: there are none."""

    key: AnchorKey
    unit: UnitRow
    durations: bytes
    observed: bytes
    captures: bytes
    links: bytes


class Links(msgspec.Struct, frozen=True, array_like=True, gc=False):
    edges: list[EdgeRow]
    failures: list[FailureRow]
    tests: dict[str, int]


_encode = msgspec.msgpack.encode
_durations = msgspec.msgpack.Decoder(list[int])
_observed = msgspec.msgpack.Decoder(Observed)
_captures = msgspec.msgpack.Decoder(list[CaptureRow])
_links = msgspec.msgpack.Decoder(Links)


def packed(key: AnchorKey, profile: UnitProfile) -> Packed:
    durations: list[int] = []
    last = 0
    for bucket, n in sorted(profile.durations.items()):
        # Steps are small numbers, which take a byte each.
        durations += (bucket - last, n)
        last = bucket
    return Packed(
        key,
        profile.unit,
        _encode(durations) if durations else b"",
        _squeezed(Observed(profile.values, profile.slots, profile.sites)) if profile.values or profile.slots else b"",
        _squeezed(profile.captures) if profile.captures else b"",
        _squeezed(Links(profile.edges, profile.failures, profile.tests))
        if profile.edges or profile.failures or profile.tests
        else b"",
    )


def durations(blob: bytes) -> Mapping[int, int]:
    """Histogram bucket to number of calls."""
    numbers = _durations.decode(blob) if blob else []
    return dict(zip(accumulate(numbers[::2]), numbers[1::2], strict=True))


def observed(blob: bytes) -> Observed:
    return _observed.decode(_plain(blob)) if blob else Observed()


def captures(blob: bytes) -> list[CaptureRow]:
    return _captures.decode(_plain(blob)) if blob else []


def links(blob: bytes) -> Links:
    return _links.decode(_plain(blob)) if blob else Links([], [], {})


def _squeezed(content: object) -> bytes:
    packer = zlib.compressobj(_LEVEL, zdict=_USUAL)
    return packer.compress(_encode(content)) + packer.flush()


def _plain(blob: bytes) -> bytes:
    return zlib.decompressobj(zdict=_USUAL).decompress(blob)
