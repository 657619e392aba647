"""What a call took from outside when it was recorded (boundaries.py), given to it again: inside the sandbox alone.

Time begins at the recorded instant, and each look at a clock moves it on by a microsecond, so that two runs of the same
code see the same; `time.sleep` moves it on without waiting. Draws from `random` begin at the recorded state. Functions
of other packages that have results on the tape give these back in their order, whatever they are called with.
"""

from __future__ import annotations

import sys
import types
import zlib
from base64 import b64decode
from struct import unpack
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from tracelens_recorder.replayable.classes import below, module_dict
from tracelens_recorder.replayable.decoding import decode_arguments
from tracelens_recorder.replayable.limits import NotRebuildable
from tracelens_recorder.replayable.opaque import OpaqueUsed

TICK_NS = 1_000
MAX_STATE = 1 << 16
_TAPE = "tracelens_recorder.replayable.outside"

taken: List[str] = []
"""Functions whose results were taken from the tape, in the order in which they were called."""
_tape: Dict[str, List[Any]] = {}
_roots: Tuple[str, ...] = ()


def enter(world: Mapping[str, Any], roots: Tuple[str, ...]) -> None:
    """Give this process, which makes one call and ends, what the call took. Raises NotRebuildable."""
    global _roots
    _roots = roots
    try:
        environment = world.get("environment") or {}
        if environment:
            import os

            os.environ.update({str(name): str(value) for name, value in environment.items()})
        if world.get("clock"):
            _set_clocks(*(int(one) for one in world["clock"]))
        if world.get("random"):
            _set_random(*world["random"])
        for name, encoded in world.get("tape") or ():
            if name not in _tape:
                _tape[str(name)] = []
                _replace(str(name))
            _tape[name].append(encoded)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, zlib.error, OverflowError) as error:
        raise NotRebuildable(f"what it took from outside: {type(error).__name__}: {error}") from error


def unused() -> List[str]:
    """Functions on the tape that were called less often than they were when it was recorded."""
    return [name for name, rest in _tape.items() if rest]


def take(name: str) -> Any:
    """The next result of a function on the tape."""
    taken.append(name)
    rest = _tape.get(name)
    if not rest:
        raise OpaqueUsed(f"another result of {name}")
    encoded = rest.pop(0)
    if encoded is None:
        raise OpaqueUsed(f"the result of {name}")
    return decode_arguments(encoded, _roots)["value"]


def _replace(name: str) -> None:
    """Make a function of another package give back what is on the tape. By its code: it may go under other names in the
    program. What is not loaded is not called either."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if type(found) is types.FunctionType and not found.__code__.co_freevars:
        made: Dict[str, Any] = {}
        source = f"def stub(*a, **k):\n    import sys\n    return sys.modules[{_TAPE!r}].take({name!r})\n"
        exec(source, made)  # noqa: S102 (a constant and two quoted names)
        found.__code__ = made["stub"].__code__
        found.__kwdefaults__ = None
        found.__defaults__ = None


def _set_random(version: int, packed: str, rest: Optional[float]) -> None:
    import random

    data = zlib.decompressobj().decompress(b64decode(packed), MAX_STATE)
    random.setstate((int(version), tuple(unpack(f"<{len(data) // 4}I", data)), rest))


def _set_clocks(wall_ns: int, monotonic_ns: int, counter_ns: int) -> None:
    import time

    passed = [0]
    local, universal, show = time.localtime, time.gmtime, time.strftime

    def clock(start: int, seconds: bool) -> Callable[[], Any]:
        def read() -> Any:
            passed[0] += TICK_NS
            now = start + passed[0]
            return now / 1e9 if seconds else now

        return read

    def sleep(seconds: float) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        passed[0] += int(seconds * 1e9)

    def with_now(function: Callable[..., Any]) -> Callable[..., Any]:
        def convert(seconds: Optional[float] = None) -> Any:
            return function(time.time() if seconds is None else seconds)

        return convert

    replaced: Dict[str, Callable[..., Any]] = {
        "time": clock(wall_ns, True),
        "time_ns": clock(wall_ns, False),
        "monotonic": clock(monotonic_ns, True),
        "monotonic_ns": clock(monotonic_ns, False),
        "perf_counter": clock(counter_ns, True),
        "perf_counter_ns": clock(counter_ns, False),
        "sleep": sleep,
        "localtime": with_now(local),
        "gmtime": with_now(universal),
        "ctime": with_now(time.ctime),
        "strftime": lambda shape, t=None: show(shape, time.localtime() if t is None else t),
    }
    originals = {id(getattr(time, name)): name for name in replaced}
    real = time.monotonic
    events = sys.modules.get("asyncio.base_events")
    if events is not None:  # what waits for timers must go on in real time
        events.BaseEventLoop.time = lambda loop: real()
    for module in list(sys.modules.values()):
        if module is time or _is_the_programs(module):
            for name, value in list(vars(module).items()):
                known = originals.get(id(value))
                if known is not None:
                    setattr(module, name, replaced[known])
    _set_datetime(replaced["time_ns"])


def _is_the_programs(module: types.ModuleType) -> bool:
    """Whether a module lies in the workspace: names that it has taken from `time` are replaced as well."""
    file = module_dict(module).get("__file__") if type(module) is types.ModuleType else None
    return type(file) is str and below(file, _roots) is not None


def _set_datetime(now_ns: Callable[[], int]) -> None:
    """`datetime.now` and its like are methods of classes written in C: they are replaced in the class itself."""
    import datetime

    def now(cls: Any, tz: Any = None) -> Any:
        at = now_ns()
        return cls.fromtimestamp(at // 10**9, tz).replace(microsecond=at // 1000 % 10**6)

    def utcnow(cls: Any) -> Any:
        return now(cls, datetime.timezone.utc).replace(tzinfo=None)

    def today(cls: Any) -> Any:
        return cls.fromtimestamp(now_ns() // 10**9)

    try:
        import ctypes
        import gc

        for kind, methods in (
            (datetime.datetime, {"now": now, "utcnow": utcnow, "today": now}),
            (datetime.date, {"today": today}),
        ):
            attributes: Any = gc.get_referents(kind.__dict__)[0]
            for name, method in methods.items():
                attributes[name] = classmethod(method)
            ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
    except Exception:  # another interpreter: the clock of datetime runs on
        return
