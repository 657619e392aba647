"""Texts of values that are known by the name of their class: dates, paths, arrays, tables, functions.

A class is taken for the one of its name only when it is found under that name in its module.
"""

from __future__ import annotations

import types
from typing import Any, Callable, Dict, Tuple

from tracelens_recorder.classes import clean, genuine, kind_key

_module_dict = vars(types.ModuleType)["__dict__"].__get__

CALLABLES = frozenset(
    [
        types.FunctionType,
        types.BuiltinFunctionType,
        types.MethodType,
        types.ModuleType,
        types.GeneratorType,
        types.CoroutineType,
        types.AsyncGeneratorType,
        types.CodeType,
        types.FrameType,
    ]
)


CALLABLE_IDS = frozenset(map(id, CALLABLES))


_WORDS = {
    id(types.GeneratorType): "generator",
    id(types.CoroutineType): "coroutine",
    id(types.AsyncGeneratorType): "async generator",
}


def callable_text(value: Any, kind: type) -> str:
    if kind is types.ModuleType:
        name = _module_dict(value).get("__name__")
        return f"<module {clean(name)}>" if type(name) is str else "<module>"
    if kind is types.MethodType:
        function = value.__func__
        if type(function) is types.FunctionType:
            return f"<method {clean(function.__qualname__)}>"
        return "<method>"
    if kind is types.CodeType:
        return f"<code {clean(value.co_name)}>"
    if kind is types.FrameType:
        return f"<frame {clean(value.f_code.co_name)}>"
    word = _WORDS.get(id(kind), "function")
    return f"<{word} {clean(value.__qualname__)}>"


def _time_zone(zone: object) -> str:
    """Asks only the two kinds of zone that are written in C; any other would run code of its own."""
    kind = type(zone)
    known = kind_key(kind) == ("datetime", "timezone") and genuine(kind)
    return f" {zone!s}" if known else ""


def _datetime(v: Any) -> str:
    fraction = f".{v.microsecond:06d}" if v.microsecond else ""
    date = f"{v.year:04d}-{v.month:02d}-{v.day:02d}"
    return f"{date} {v.hour:02d}:{v.minute:02d}:{v.second:02d}{fraction}{_time_zone(v.tzinfo)}"


def _time(v: Any) -> str:
    fraction = f".{v.microsecond:06d}" if v.microsecond else ""
    return f"{v.hour:02d}:{v.minute:02d}:{v.second:02d}{fraction}{_time_zone(v.tzinfo)}"


def _path(v: Any) -> str:
    """A Path of the standard library: joined from its parts as they are, without touching the file system."""
    return f"{type(v).__name__}({str(v)!r})"


def _array(v: Any) -> str:
    return f"ndarray{v.shape!r} {v.dtype!s}"


def _tensor(v: Any) -> str:
    return f"Tensor{tuple(v.shape)!r} {str(v.dtype).replace('torch.', '')} {v.device!s}"


def _frame(v: Any) -> str:
    columns = v.columns
    names = [name for name in columns[:6].tolist() if type(name) is str]
    more = ", …" if len(columns) > len(names) else ""
    return f"DataFrame{v.shape!r} [{', '.join(name[:40] for name in names)}{more}]"


def _series(v: Any) -> str:
    return f"Series{v.shape!r} {v.dtype!s}"


KNOWN: Dict[Tuple[object, object], Callable[[Any], str]] = {
    ("decimal", "Decimal"): lambda v: f"Decimal('{v!s}')",
    ("fractions", "Fraction"): lambda v: f"Fraction({v._numerator!r}, {v._denominator!r})",
    ("uuid", "UUID"): lambda v: f"UUID('{v!s}')",
    ("datetime", "datetime"): _datetime,
    ("datetime", "date"): lambda v: f"{v.year:04d}-{v.month:02d}-{v.day:02d}",
    ("datetime", "time"): _time,
    ("datetime", "timedelta"): lambda v: str(v),
    ("datetime", "timezone"): lambda v: str(v),
    ("builtins", "range"): repr,
    ("builtins", "slice"): lambda v: "slice",
    ("builtins", "memoryview"): lambda v: f"<memoryview of {v.nbytes} bytes>",
    ("re", "Pattern"): lambda v: f"re.compile({v.pattern!r})" if type(v.pattern) in (str, bytes) else "re.Pattern",
    ("numpy", "ndarray"): _array,
    ("numpy", "dtype"): str,
    ("torch", "Tensor"): _tensor,
    ("torch.nn.parameter", "Parameter"): _tensor,
    ("pandas.core.frame", "DataFrame"): _frame,
    ("pandas.core.series", "Series"): _series,
    ("pandas", "DataFrame"): _frame,
    ("pandas", "Series"): _series,
}
for _module in ("pathlib", "pathlib._local"):
    for _name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"):
        KNOWN[(_module, _name)] = _path
for _name in (
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "bool_",
    "bool",
):
    KNOWN[("numpy", _name)] = lambda v: str(v)

KNOWN_SIZES: Dict[Tuple[str, str], Callable[[Any], int]] = {
    ("collections", "deque"): lambda v: len(v),
    ("numpy", "ndarray"): lambda v: int(v.size),
}
