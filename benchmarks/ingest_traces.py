"""The program and the traces that benchmarks/ingest.py imports, of any size: the same seed gives the same bytes.

A trace is what a program of a few thousand functions leaves: trees of about 36 calls, a few functions called most
(Zipf), durations over four decades, two or three arguments a call, of which some take few values and some take another
each time, and one call in a hundred that raises.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tracelens_recorder import container, payloads

FUNCTIONS = 50
"""In a module, which is one file."""
_START = 1_790_000_000_000_000_000
_TREE = 36
_TIERS = ("gold", "silver", "basic")


@dataclass(slots=True)
class Made:
    """One call of a generated trace. Times in nanoseconds."""

    id: int
    parent: int
    function: int
    started: int
    duration: int
    own: int
    order: int
    quantity: int
    tier: str
    raised: bool


def program(root: Path, modules: int) -> None:
    """Write `modules` files of FUNCTIONS functions each."""
    package = root / "shop"
    package.mkdir(parents=True)
    (root / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    (package / "__init__.py").write_text("")
    for module in range(modules):
        lines = [f'"""Module {module}."""\n']
        for at in range(FUNCTIONS):
            lines.append(
                f"\ndef step_{at}(order_id, quantity, tier):\n"
                f"    if quantity < 0:\n        raise ValueError('quantity')\n"
                f"    return order_id * {module} + quantity * {at}\n"
            )
        (package / f"m{module}.py").write_text("\n".join(lines))


def place(function: int) -> tuple[str, str, int]:
    """(path, name, first line) of a function of the program."""
    module, at = divmod(function, FUNCTIONS)
    return f"shop/m{module}.py", f"step_{at}", 4 + 6 * at


def calls(count: int, functions: int, seed: int) -> Iterator[list[Made]]:
    """Trees of calls, parents first, `count` calls or a few more."""
    random_ = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(functions)]
    order = list(range(functions))
    program_ = random.Random(7)
    program_.shuffle(order)
    callees = [program_.choices(order, weights, k=6) for _ in range(functions)]
    made, at = 0, _START + seed * 3_600_000_000_000
    while made < count:
        tree: list[Made] = []
        room = _TREE + random_.randrange(-9, 10)
        at = _branch(tree, 0, random_.choices(order, weights)[0], at, callees, random_, made, room, 0)
        at += 1_000_000
        made += len(tree)
        yield tree


def _branch(
    tree: list[Made],
    parent: int,
    function: int,
    at: int,
    callees: list[list[int]],
    random_: random.Random,
    made: int,
    room: int,
    depth: int,
) -> int:
    """Append a call and what it calls; the time when it has ended."""
    own = int(random_.lognormvariate(9.0, 1.5)) + 200
    order = random_.randrange(10_000_000)
    quantity = random_.randrange(1, 20)
    call = Made(
        made + len(tree) + 1,
        parent,
        function,
        at,
        0,
        own,
        order,
        quantity,
        _TIERS[order % 3],
        order % 100 == 0,
    )
    tree.append(call)
    at += own // 2
    children = random_.randrange(0, 4) if depth else 6
    for _ in range(children):
        if len(tree) >= room or depth >= 12:
            break
        callee = callees[function][random_.randrange(6)]
        at = _branch(tree, call.id, callee, at, callees, random_, made, room, depth + 1)
    at += own - own // 2
    call.duration = at - call.started
    return at


def write_native(file: BinaryIO, count: int, functions: int, seed: int, blobs: list[str]) -> int:
    """Our own format with every call captured, counted and with its edge; the number of calls."""
    file.write(container.MAGIC)

    def put(kind: int, payload: object) -> None:
        file.write(container.encode(kind, json.dumps(payload, separators=(",", ":")).encode()))

    put(
        payloads.RUN,
        {
            "format": payloads.FORMAT,
            "started_ns": _START,
            "command": "python -m shop",
            "interpreter": "CPython 3.12.1",
            "mode": "monitoring",
        },
    )
    codes = []
    for function in range(functions):
        path, name, line = place(function)
        codes.append([function, path, name, line, 0, blobs[function // FUNCTIONS]])
    put(payloads.CODES, codes)
    total = 0
    last = _START
    counts: dict[int, list[int]] = {}
    edges: dict[tuple[int, int, int], list[int]] = {}
    captures: list[dict[str, object]] = []
    for tree in calls(count, functions, seed):
        total += len(tree)
        by_id = {call.id: call for call in tree}
        for call in tree:
            last = max(last, call.started + call.duration)
            row = counts.setdefault(call.function, [0, 0, 0, 0, 1 << 60, 0])
            row[0] += 1
            row[1] += call.raised
            row[2] += call.duration
            row[3] += call.own
            row[4] = min(row[4], call.duration)
            row[5] = max(row[5], call.duration)
            caller = None
            above = by_id.get(call.parent)
            if above is not None:
                line = place(above.function)[2] + 3
                caller = [above.function, line]
                edge = edges.setdefault((above.function, line, call.function), [0, 0])
                edge[0] += 1
                edge[1] += call.duration
            value = str(call.order * 3)
            captures.append(
                {
                    "id": f"{call.id:x}",
                    "parent": f"{call.parent:x}" if call.parent else "",
                    "code": call.function,
                    "caller": caller,
                    "started_ns": call.started,
                    "duration_ns": call.duration,
                    "self_ns": call.own,
                    "thread": "MainThread",
                    "test": 0,
                    "arguments": [
                        ["order_id", "int", str(call.order), call.order, None],
                        ["quantity", "int", str(call.quantity), call.quantity, None],
                        ["tier", "str", repr(call.tier), None, len(call.tier)],
                    ],
                    "outcome": ["raised", "ValueError", "quantity", place(call.function)[2] + 2]
                    if call.raised
                    else ["returned", ["int", value, call.order * 3, None]],
                    "chosen": "reservoir",
                    "represents": 1.0 if call.order % 2 else 1.5,
                }
            )
        if len(captures) >= 2_000:
            put(payloads.CAPTURES, captures)
            captures.clear()
    put(payloads.CAPTURES, captures)
    put(payloads.COUNTS, [[f, r[0], 0, r[1], r[0], r[2], r[3], r[4], r[5], [[400, r[0]]]] for f, r in counts.items()])
    put(payloads.EDGES, [[*key, *sums] for key, sums in edges.items()])
    put(payloads.END, {"duration_ns": last - _START, "functions": len(counts), "captured": len(counts)})
    return total


def write_viztracer(file: BinaryIO, count: int, functions: int, seed: int, root: str) -> int:
    """What `viztracer --log_func_args --log_func_retval` 1.1 writes; the number of calls."""
    names = ["{1} ({0}:{2})".format(f"{root}/{place(at)[0]}", *place(at)[1:]) for at in range(functions)]
    file.write(b'{"traceEvents": [')
    total = 0
    for tree in calls(count, functions, seed):
        pieces = []
        for call in sorted(tree, key=lambda made: made.started + made.duration):
            result = "ValueError('quantity')" if call.raised else str(call.order * 3)
            pieces.append(
                f'{{"ph":"X","pid":4711,"tid":4711,"ts":{(call.started - _START) / 1000},"dur":{call.duration / 1000},'
                f'"name":"{names[call.function]}","cat":"FEE","args":{{"func_args":{{"order_id":"{call.order}",'
                f'"quantity":"{call.quantity}","tier":"\'{call.tier}\'"}},"return_value":"{result}"}}}}'
            )
        file.write((", " if total else "").encode() + ", ".join(pieces).encode())
        total += len(tree)
    files = {f"{root}/shop/m{m}.py": m for m in sorted({at // FUNCTIONS for at in range(functions)})}
    info = {}
    for path in files:
        text = Path(path).read_text()
        info[path] = [text, text.count("\n") + 1]
    tail = {
        "viztracer_metadata": {"overflow": False, "version": "1.1.1"},
        "file_info": {"files": info, "functions": {}},
    }
    file.write(b"], " + json.dumps(tail)[1:].encode())
    return total


def write_otlp(file: BinaryIO, count: int, functions: int, seed: int, root: str, most_bytes: int = 0) -> int:
    """Lines as the collector's file exporter writes them, a tree of spans each; the number of spans."""
    names = [place(at) for at in range(functions)]
    resource = {
        "attributes": [
            {"key": "service.name", "value": {"stringValue": "shop"}},
            {"key": "process.runtime.name", "value": {"stringValue": "cpython"}},
            {"key": "process.runtime.version", "value": {"stringValue": "3.12.1"}},
        ]
    }
    head = f'{{"resourceSpans":[{{"resource":{json.dumps(resource)},"scopeSpans":[{{"scope":{{"name":"shop"}},"spans":['
    total = written = 0
    for number, tree in enumerate(calls(count, functions, seed)):
        trace = f"{seed:08x}{number:024x}"
        pieces = []
        for call in reversed(tree):
            path, name, line = names[call.function]
            status, events = "{}", ""
            if call.raised:
                status = '{"code":2,"message":"ValueError: quantity"}'
                text = (
                    f'Traceback (most recent call last):\\n  File \\"{root}/{path}\\", line {line + 2}, in {name}\\n'
                    "    raise ValueError('quantity')\\nValueError: quantity\\n"
                )
                events = (
                    f'"events":[{{"timeUnixNano":"{call.started}","name":"exception","attributes":['
                    '{"key":"exception.type","value":{"stringValue":"ValueError"}},'
                    '{"key":"exception.message","value":{"stringValue":"quantity"}},'
                    f'{{"key":"exception.stacktrace","value":{{"stringValue":"{text}"}}}}]}}],'
                )
            parent = f"{call.parent:016x}" if call.parent else ""
            pieces.append(
                f'{{"traceId":"{trace}","spanId":"{call.id:016x}","parentSpanId":"{parent}","flags":256,'
                f'"name":"{name}","kind":1,"startTimeUnixNano":"{call.started}",'
                f'"endTimeUnixNano":"{call.started + call.duration}","attributes":['
                f'{{"key":"code.function.name","value":{{"stringValue":"{name}"}}}},'
                f'{{"key":"code.file.path","value":{{"stringValue":"{root}/{path}"}}}},'
                f'{{"key":"code.line.number","value":{{"intValue":"{line}"}}}},'
                f'{{"key":"app.order_id","value":{{"intValue":"{call.order}"}}}}],{events}"status":{status}}}'
            )
        line_ = (head + ",".join(pieces) + "]}]}]}\n").encode()
        file.write(line_)
        total += len(tree)
        written += len(line_)
        if most_bytes and written >= most_bytes:
            break
    return total
