"""Makes recorded calls again. Runs inside the sandbox, in the project's own interpreter (3.9 or later).

A program of its own: it knows the standard library and, loaded by its path, the recorder. It reads a JSON job on
standard input and writes one JSON answer to the descriptor named in argv. Each call is made in a forked process, so
that none sees what another did, and none can end more than itself.

What sandboxed code prints cannot be taken for an answer: that goes to a descriptor of its own and repeats the job's
nonce. Code that sets out to find both, in its own process, could; see docs/fixing.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import inspect
import json
import os
import select
import signal
import sys
import time
import traceback
import types
from collections.abc import Iterator
from typing import Any

_clock = time.perf_counter
"""Taken before calls are given a clock of their own."""
_MOST_ITEMS = 10_000
"""Items that are taken from a generator."""
_MOST_BYTES = 4 * 1024 * 1024
"""Of one call's outcome."""


def main() -> int:
    answer = int(sys.argv[1])
    job: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    os.set_inheritable(answer, False)
    said: dict[str, Any] = {"nonce": job["nonce"], "problem": "", "outcomes": []}
    sys.path[:] = job["sys_path"] + [one for one in sys.path[1:] if one not in job["sys_path"]]
    _load_recorder(job["recorder"])
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, job["import_seconds"])
    try:
        target = _find(job)
    except BaseException as error:
        said["problem"] = _problem(error)
        target = None
    signal.setitimer(signal.ITIMER_REAL, 0)
    if target is not None:
        for call in job["calls"]:
            said["outcomes"].append(_in_a_fork(job, target, call, answer))
    data = json.dumps(said).encode()
    while data:
        data = data[os.write(answer, data) :]
    # Past whatever the program registered to run at its end.
    os._exit(0)


def _load_recorder(folder: str) -> None:
    """Make `tracelens_recorder` importable without making its neighbours so."""
    spec = importlib.util.spec_from_file_location(
        "tracelens_recorder", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["tracelens_recorder"] = package
    spec.loader.exec_module(package)


def _problem(error: BaseException) -> str:
    if isinstance(error, _NotFound):
        return str(error)
    text = traceback.format_exception_only(type(error), error)[-1].strip()
    return "importing it fails: " + text[:500]


class _NotFound(Exception):
    """Why there is nothing to call."""


class _Target:
    def __init__(self, function: Any, inner: types.FunctionType | None) -> None:
        self.function = function
        """What is called."""
        self.inner = inner
        """The function whose code was recorded; None when it is hidden behind a decorator."""


def _find(job: dict[str, Any]) -> _Target:
    from tracelens_recorder import replayable

    unit = job["unit"]
    module = replayable.import_file(unit["module"], unit["path"], tuple(job["roots"]))
    if "<" in unit["scope"]:
        raise _NotFound("{} is defined inside a function".format(unit["scope"]))
    found: Any = module
    for part in unit["scope"].split("."):
        name = part
        if isinstance(found, type) and part.startswith("__") and not part.endswith("__"):
            name = "_" + found.__name__.lstrip("_") + part
        try:
            found = inspect.getattr_static(found, name)
        except AttributeError:
            raise _NotFound("there is no {} in {}".format(unit["scope"], unit["path"])) from None
    name = unit["scope"].rpartition(".")[2]
    if isinstance(found, (staticmethod, classmethod)):
        found = found.__func__
    elif isinstance(found, property):
        accessors = [one for one in (found.fget, found.fset, found.fdel) if one is not None]
        names = set(job["calls"][0]["names"]) if job["calls"] else set()
        fitting = [one for one in accessors if names == set(_parameters(_inner(one, name) or one))]
        found = (fitting or accessors)[0]
    elif isinstance(found, functools.cached_property):
        found = found.func
    inner = _inner(found, name)
    plain = isinstance(found, types.FunctionType) and not hasattr(found, "__wrapped__")
    if inner is None and plain and not any(callable(cell) for cell in _cells(found)):
        raise _NotFound("{} leads to another function, {}".format(unit["scope"], found.__qualname__))
    if job["unwrap"]:
        if inner is None:
            raise _NotFound("{} is hidden behind its decorator".format(unit["scope"]))
        return _Target(inner, inner)
    if not callable(found):
        raise _NotFound("{} cannot be called".format(unit["scope"]))
    return _Target(found, inner)


def _inner(found: Any, name: str) -> types.FunctionType | None:
    """The function of that name inside its decorators."""
    waiting = [found]
    seen: set[int] = set()
    while waiting and len(seen) < 50:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, types.FunctionType):
            if one.__code__.co_name == name and not hasattr(one, "__wrapped__"):
                return one
            waiting += [cell for cell in _cells(one) if callable(cell)]
        for attribute in ("__wrapped__", "func", "__func__"):
            try:
                waiting.append(inspect.getattr_static(one, attribute))
            except AttributeError:
                continue
        wrapped = getattr(one, "__wrapped__", None) if not isinstance(one, type) else None
        if wrapped is not None:
            waiting.insert(0, wrapped)
    return None


def _cells(function: types.FunctionType) -> list[Any]:
    """What a function holds of where it was defined."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            continue
    return found


def _parameters(function: Any) -> list[str]:
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return list(code.co_varnames[:count])


def _bind(inner: types.FunctionType | None, arguments: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments that bring each value back to the parameter it was recorded under."""
    if inner is None:
        return [], dict(arguments)
    code = inner.__code__
    names = list(code.co_varnames)
    last = code.co_argcount + code.co_kwonlyargcount
    positional = []
    missing = False
    keywords = {}
    for name in names[: code.co_argcount]:
        if name not in arguments:
            missing = True
        elif missing:
            keywords[name] = arguments[name]
        else:
            positional.append(arguments[name])
    for name in names[code.co_argcount : last]:
        if name in arguments:
            keywords[name] = arguments[name]
    if code.co_flags & inspect.CO_VARARGS:
        positional.extend(arguments.get(names[last], ()))
        last += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        keywords.update(arguments.get(names[last], {}))
    return positional, keywords


def _gone(inner: types.FunctionType | None, arguments: dict[str, Any]) -> str:
    """The first argument that the function has no parameter for now; "" when it has all."""
    if inner is None:
        return ""
    names = _parameters(inner)
    return next((name for name in arguments if name not in names), "")


def _in_a_fork(job: dict[str, Any], target: _Target, call: dict[str, Any], answer: int) -> dict[str, Any]:
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(read)
        os.close(write)
        return {"id": call["id"], "kind": "not called", "why": f"no process for it: {error.strerror}"}
    if pid == 0:
        os.close(read)
        os.close(answer)
        signal.setitimer(signal.ITIMER_REAL, call["seconds"])
        try:
            data = json.dumps(_outcome(job, target, call)).encode()
            if len(data) > _MOST_BYTES:
                data = b'{"kind": "not called", "why": "its outcome is too large to compare"}'
            while data:
                data = data[os.write(write, data) :]
        finally:
            os._exit(0)
    os.close(write)
    data, status = _read(read, pid, call["seconds"])
    os.close(read)
    try:
        said: dict[str, Any] = json.loads(data)
    except ValueError:
        said = {"kind": "died", "why": "it ended its process"}
        if status is None or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM):
            said = {"kind": "timed out", "why": "not done after {:g} s".format(call["seconds"])}
        elif os.WIFSIGNALED(status):
            said["why"] = f"signal {os.WTERMSIG(status)} ended it"
    said["id"] = call["id"]
    return said


def _read(descriptor: int, pid: int, seconds: float) -> tuple[bytes, int | None]:
    """What a forked call said, and its status; None when it did not end in time."""
    deadline = time.monotonic() + seconds + 2
    data = bytearray()
    status: int | None = None
    while time.monotonic() < deadline:
        if select.select([descriptor], [], [], 0.02)[0]:
            chunk = os.read(descriptor, 1 << 16)
            data += chunk
            if chunk:
                continue
            if status is None:
                status = _wait(pid, deadline)
            break
        if status is not None:  # it ended, and something that it left holds the pipe open
            break
        ended, ended_status = os.waitpid(pid, os.WNOHANG)
        if ended:
            status = ended_status
    return bytes(data), status


def _wait(pid: int, deadline: float) -> int | None:
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.002)
    return None


def _outcome(job: dict[str, Any], target: _Target, call: dict[str, Any]) -> dict[str, Any]:
    """Make one call and say what came of it."""
    from tracelens_recorder import classes, replayable, values
    from tracelens_recorder.replayable import outside

    roots = tuple(job["roots"])
    try:
        arguments = replayable.decode_arguments(call["arguments"], roots)
        if call.get("instead"):
            arguments.update(replayable.decode_arguments(call["instead"], roots))
        gone = _gone(target.inner, arguments)
        if gone:
            return {"kind": "not called", "why": f"there is no parameter {gone} any more"}
        outside.enter(call["arguments"].get("world") or {}, roots)
    except Exception as error:
        return {"kind": "not called", "why": f"its arguments cannot be rebuilt: {error}"}
    positional, keywords = _bind(target.inner, arguments)
    surroundings = _watch(roots[0]) if job.get("watch") else contextlib.nullcontext()
    begun = _clock()
    try:
        with surroundings:
            given = target.function(*positional, **keywords)
            result = _settle(given)
    except replayable.OpaqueUsed as used:
        return {"kind": "not called", "why": f"it uses what was not recorded ({used})"}
    except BaseException as error:
        message, _ = values.message_of(error)
        return {
            "kind": "raised",
            "type": classes.type_name(type(error)),
            "message": message,
            "line": _line(error, job),
            "seconds": _clock() - begun,
            "ambient": _read_of(surroundings),
        }
    taken = _clock() - begun
    seen = values.observe(result)
    return {
        "kind": "returned",
        "type": seen.type,
        "text": seen.text,
        "value": _comparable(replayable.encode_exactly(result, roots)),
        "items": isinstance(given, (types.GeneratorType, types.AsyncGeneratorType)),
        "unused": outside.unused(),
        "after": _after(replayable.encode_exactly(list(arguments.items()), roots), outside.taken, outside.unused()),
        "seconds": taken,
        "ambient": _read_of(surroundings),
    }


def _watch(root: str) -> Any:
    spec = importlib.util.spec_from_file_location("ambient", os.path.join(os.path.dirname(__file__), "ambient.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Watch(root)


def _read_of(surroundings: Any) -> list[str]:
    return surroundings.read() if hasattr(surroundings, "read") else []


def _settle(result: Any) -> Any:
    """The value that a caller gets in the end: a coroutine is awaited, a generator is exhausted (to a bound)."""
    if inspect.iscoroutine(result):
        return asyncio.run(result)
    if isinstance(result, types.GeneratorType):
        return list(_some(result))
    if isinstance(result, types.AsyncGeneratorType):
        return asyncio.run(_gather(result))
    return result


def _some(items: Iterator[Any]) -> Iterator[Any]:
    for count, item in enumerate(items):
        if count >= _MOST_ITEMS:
            return
        yield item


async def _gather(items: Any) -> list[Any]:
    found: list[Any] = []
    async for item in items:
        found.append(item)
        if len(found) >= _MOST_ITEMS:
            break
    return found


def _line(error: BaseException, job: dict[str, Any]) -> int:
    """The line that was executing in the unit's own frame, 1-based; 0 when its frame is not in the traceback."""
    name = job["unit"]["scope"].rpartition(".")[2]
    file = os.path.realpath(os.path.join(job["roots"][0], *job["unit"]["path"].split("/")))
    place = error.__traceback__
    while place is not None:
        code = place.tb_frame.f_code
        if code.co_name == name and os.path.realpath(code.co_filename) == file:
            return place.tb_lineno
        place = place.tb_next
    return 0


def _comparable(encoded: Any) -> str | None:
    """An encoding as text that is equal when the values are: the elements of sets in one order."""
    if encoded is None:
        return None
    return json.dumps([_sorted_sets(encoded["arguments"]), encoded["classes"]])


def _after(arguments: Any, taken: list[str], unused: list[str]) -> str | None:
    """What a call left behind: its arguments, and which boundaries it crossed."""
    left = _comparable(arguments)
    return json.dumps([left, taken, unused]) if taken or unused else left


def _sorted_sets(encoded: Any) -> Any:
    if type(encoded) is not list:
        return encoded
    made = [_sorted_sets(one) for one in encoded]
    if len(made) == 2 and made[0] in ("set", "frozenset") and type(made[1]) is list:
        made[1] = sorted(made[1], key=lambda one: json.dumps(one))
    return made


if __name__ == "__main__":
    sys.exit(main())
