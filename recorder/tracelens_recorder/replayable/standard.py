"""How values of the standard library's own classes are encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Tuple

from tracelens_recorder.replayable.limits import NotReplayable

if TYPE_CHECKING:
    from tracelens_recorder.replayable.encoding import Encoder


def _simple_text(name: str, show: Callable[[Any], str]) -> Callable[[Encoder, Any, int, bool], Any]:
    def encode(encoder: Encoder, value: Any, depth: int, secret: bool) -> Any:
        if secret:
            raise NotReplayable("a secret")
        before = encoder.redacted
        encoded = [name, encoder.text(show(value), False)]
        if encoder.redacted != before and name not in ("path", "purepath"):
            raise NotReplayable("a secret")
        return encoded

    return encode


def _parts(name: str, *attributes: str) -> Callable[[Encoder, Any, int, bool], Any]:
    def encode(encoder: Encoder, value: Any, depth: int, secret: bool) -> Any:
        return [name, *(encoder.value(getattr(value, one), depth + 1) for one in attributes)]

    return encode


def _slots(base: type, name: str, *attributes: str) -> Callable[[Encoder, Any, int, bool], Any]:
    readers = [base.__dict__[one].__get__ for one in attributes]

    def encode(encoder: Encoder, value: Any, depth: int, secret: bool) -> Any:
        return [name, *(encoder.value(read(value), depth + 1) for read in readers)]

    return encode


def _encode_bytearray(encoder: Encoder, value: bytearray, depth: int, secret: bool) -> Any:
    encoder.begin(value)
    return ["bytearray", encoder.binary(bytes(value), secret)]


def _encode_ordered(encoder: Encoder, value: Any, depth: int, secret: bool) -> Any:
    encoder.begin(value)
    return ["ordered", encoder.pairs(value, depth, secret)]


def _encode_counter(encoder: Encoder, value: Any, depth: int, secret: bool) -> Any:
    encoder.begin(value)
    return ["counter", encoder.pairs(value, depth, secret)]


def _encode_default(encoder: Encoder, value: Any, depth: int, secret: bool) -> Any:
    factory = _default_factory(value)
    encoder.begin(value)
    shown = None if factory is None else encoder.value(factory, depth + 1)
    return ["default", shown, encoder.pairs(value, depth, secret)]


def _default_factory(value: Any) -> Any:
    import collections

    return collections.defaultdict.__dict__["default_factory"].__get__(value)


def _encode_deque(encoder: Encoder, value: Any, depth: int, secret: bool) -> Any:
    import collections

    encoder.begin(value)
    longest = collections.deque.__dict__["maxlen"].__get__(value)
    return ["deque", longest, encoder.items(collections.deque.__iter__(value), depth, secret)]


def _encode_zone(encoder: Encoder, value: Any, depth: int, secret: bool) -> Any:
    import datetime

    offset = value.utcoffset(None)
    shown = datetime.timezone.tzname(value, None)
    plain = datetime.timezone(offset).tzname(None)
    return ["zone", offset.days, offset.seconds, offset.microseconds, None if shown == plain else shown]


def _encode_zone_info(encoder: Encoder, value: Any, depth: int, secret: bool) -> Any:
    if type(value.key) is not str:
        raise NotReplayable("a time zone without a name")
    return ["zoneinfo", encoder.text(value.key, False)]


CONTAINERS: Dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset", dict: "dict"}
SIMPLE: Dict[type, Callable[[Encoder, Any, int, bool], Any]] = {
    bytes: lambda encoder, value, depth, secret: ["bytes", encoder.binary(value, secret)],
    bytearray: _encode_bytearray,
    complex: _slots(complex, "complex", "real", "imag"),
    range: _slots(range, "range", "start", "stop", "step"),
    slice: _slots(slice, "slice", "start", "stop", "step"),
}
KNOWN: Dict[Tuple[str, object], Callable[[Encoder, Any, int, bool], Any]] = {
    ("decimal", "Decimal"): _simple_text("decimal", str),
    ("fractions", "Fraction"): _parts("fraction", "_numerator", "_denominator"),
    ("uuid", "UUID"): _simple_text("uuid", str),
    ("datetime", "date"): _parts("date", "year", "month", "day"),
    ("datetime", "time"): _parts("time", "hour", "minute", "second", "microsecond", "tzinfo", "fold"),
    ("datetime", "datetime"): _parts(
        "datetime", "year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold"
    ),
    ("datetime", "timedelta"): _parts("timedelta", "days", "seconds", "microseconds"),
    ("datetime", "timezone"): _encode_zone,
    ("zoneinfo", "ZoneInfo"): _encode_zone_info,
    ("pathlib", "PosixPath"): _simple_text("path", str),
    ("pathlib", "WindowsPath"): _simple_text("path", str),
    ("pathlib", "PurePosixPath"): _simple_text("purepath", str),
    ("collections", "OrderedDict"): _encode_ordered,
    ("collections", "Counter"): _encode_counter,
    ("collections", "defaultdict"): _encode_default,
    ("collections", "deque"): _encode_deque,
}
KNOWN_MODULES = frozenset(
    ["decimal", "fractions", "uuid", "datetime", "zoneinfo", "pathlib", "pathlib._local", "pathlib._abc", "collections"]
)
