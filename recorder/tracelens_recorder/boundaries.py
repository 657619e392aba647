"""What a replayable call took from outside of its arguments: the clock, chance, the environment, and what functions of
other packages gave back that talk to the outside.

Nothing of the program is replaced for that. Of the clock its reading at the entry of the call is kept: when the call is
made again time goes on from there. Of Python's own generator of random numbers its state at the entry is kept, where
the call has drawn from it: all draws are then the same. Of functions that are not pure (`urllib.request.urlopen`,
`uuid.uuid4`, `subprocess.run`, `os.getenv`) results are kept in their order, as they return; only those written in
Python can be listened to, and only on Python 3.12 and newer within a budget, where call sites are.
"""

from __future__ import annotations

import os
import sys
import time
import types
import zlib
from base64 import b64encode
from struct import pack
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from tracelens_recorder.classes import clean
from tracelens_recorder.redact import is_secret_name, redact_text

if TYPE_CHECKING:
    from tracelens_recorder.code import Function
    from tracelens_recorder.counters import Call
    from tracelens_recorder.session import Session

MAX_TAPE = 64
"""Results on the tape of one call; a call that took more is not replayable."""
MAX_NODES = 500
"""Values in one result."""
MAX_ENVIRONMENT = 64
MAX_WATCHED = 1000
MAX_FRAMES = 200

# fmt: off
IMPURE = frozenset([
    "aiohttp", "anthropic", "asyncpg", "boto3", "botocore", "ftplib", "getpass", "glob", "http", "httpx", "imaplib",
    "kafka", "openai", "pika", "platform", "poplib", "psycopg", "psycopg2", "pymongo", "pymysql", "redis", "requests",
    "secrets", "smtplib", "socket", "ssl", "subprocess", "tempfile", "urllib", "urllib3", "uuid",
])
"""Packages whose functions talk to the outside, or draw from it."""
IMPURE_NAMES = frozenset([
    ("os", "getenv"), ("os", "walk"), ("shutil", "which"), ("shutil", "disk_usage"), ("posixpath", "expanduser"),
    ("posixpath", "expandvars"),
])
PURE = frozenset(["urllib.parse", "http.cookies", "urllib3.util.url"])
# fmt: on


class World:
    """What a call may take from outside, as it was at the call's entry."""

    __slots__ = ("clock", "random", "tape", "unknown")

    def __init__(self) -> None:
        self.clock = (time.time_ns(), time.monotonic_ns(), time.perf_counter_ns())
        self.random = _state()
        self.tape: List[List[Any]] = []
        """[function, encoded result or null], in the order in which they came."""
        self.unknown = False
        """More was taken than is kept."""

    def written(self) -> Optional[Dict[str, Any]]:
        """As it is kept beside the arguments; None when the call cannot be made again."""
        if self.unknown:
            return None
        said: Dict[str, Any] = {"clock": list(self.clock)}
        if self.random is not None and self.random != _state():
            said["random"] = _packed(self.random)
        if self.tape:
            said["tape"] = self.tape
        return said


def _state() -> Optional[Tuple[Any, ...]]:
    """Of the generator that the functions of `random` share; None where nobody has loaded it."""
    module = sys.modules.get("random")
    shared = module.__dict__.get("_inst") if module is not None else None
    if shared is None or type(shared).__name__ != "Random":
        return None
    state: Tuple[Any, ...] = shared.getstate()
    return state


def _packed(state: Tuple[Any, ...]) -> List[Any]:
    """[version, 625 numbers as text, the second half of a pair of normal draws]"""
    version, numbers, rest = state
    data = zlib.compress(pack(f"<{len(numbers)}I", *numbers), 1)
    return [version, b64encode(data).decode("ascii"), rest]


class Boundaries:
    """Gathers the tapes of the replayable calls in progress."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.open = 0
        """Calls in progress that have a tape."""
        self._watched: Dict[int, Tuple[CodeType, str]] = {}
        """Code of other packages whose results are listened to: by id(), (code, name)."""
        self.names: Dict[str, str] = {}
        """Variables of the environment that the program's code names, and their values."""
        self.written = 0

    def begin(self, call: Call) -> None:
        call.world = World()
        self.open += 1

    def end(self, call: Call, replay: Dict[str, Any]) -> bool:
        """Whether the call can be made again; then what it took is put beside its arguments."""
        world, call.world = call.world, None
        if world is None:
            return True
        self.open -= 1
        said = world.written()
        if said is None:
            return False
        replay["world"] = said
        return True

    def called(self, callee: object) -> Optional[CodeType]:
        """Something is called from a call site in scope. Gives back the code to listen to from now on, if any."""
        if type(callee) is not types.FunctionType or len(self._watched) >= MAX_WATCHED:
            return None
        code = callee.__code__
        if id(code) in self._watched:
            return None
        module = callee.__module__
        if type(module) is not str or not is_impure(module, callee.__qualname__) or "<" in callee.__qualname__:
            return None
        if code.co_flags & 0x2A0:  # what is suspended gives nothing back
            return None
        self._watched[id(code)] = (code, f"{module}:{callee.__qualname__}")
        return code

    def returned(self, frame: FrameType, value: object) -> None:
        """A frame that is none of the program's calls returns."""
        watched = self._watched.get(id(frame.f_code))
        if watched is None or watched[0] is not frame.f_code:
            return
        caller = frame.f_back
        if caller is None or id(caller.f_code) not in self._session.functions:
            return  # called by another function of its package
        from tracelens_recorder.replayable.encoding import encode_result

        kept = encode_result(value, self._session.scope.roots, MAX_NODES)
        live = self._session.live
        for _ in range(MAX_FRAMES):
            if caller is None:
                break
            call = live.get(id(caller))
            if call is not None and call.world is not None:
                if len(call.world.tape) < MAX_TAPE:
                    call.world.tape.append([watched[1], kept])
                else:
                    call.world.unknown = True
            caller = caller.f_back

    def read_names(self, function: Function) -> None:
        """Take note of the variables of the environment that a function's code names."""
        self._scan(function.code, 0)

    def _scan(self, code: CodeType, depth: int) -> None:
        for constant in code.co_consts:
            if type(constant) is str:
                if constant.isupper() and constant not in self.names and len(self.names) < MAX_ENVIRONMENT:
                    value = os.environ.get(constant)
                    if value is not None and not constant.startswith("TRACELENS"):
                        self._take(constant, value)
            elif type(constant) is CodeType and depth < 3:
                self._scan(constant, depth + 1)

    def _take(self, name: str, value: str) -> None:
        if is_secret_name(name) or redact_text(value)[1]:
            self._session.redacted += 1
        else:
            self.names[name] = clean(value, 1000)


def is_impure(module: str, name: str) -> bool:
    """Whether a function of another package talks to the outside, as far as its name tells."""
    if (module, name) in IMPURE_NAMES:
        return True
    return module.partition(".")[0] in IMPURE and module not in PURE
