"""Who calls whom: what comprehensions call is their function's, and calls of one sort can be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answers.recorded import workspace
from tracelens.answers.call_hierarchy import Call, incoming, only, outgoing, unresolved
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.store.answers import UnitRecord

SOURCE = """\
def price(item):
    return item

def rebate(item):
    return item

def total(items):
    if not items:
        return rebate(0)
    return sum(price(item) for item in items)

def never():
    return price(1)

def label():
    return "x"

class Item:
    name = label()

DEFAULT = label()
"""
GENERATOR = "shop.py:total.<locals>.<genexpr>"
CALLS = [
    {"call": "shop.py:total", "ms": 2.0},
    {"call": GENERATOR, "from": "shop.py:total", "ms": 1.0},
    {"call": "shop.py:price", "from": GENERATOR, "site": "price(item)", "times": 3, "ms": 0.1},
    {"call": "shop.py:label", "from": "shop.py:<module>", "site": "name = label()", "times": 2},
    {"call": "shop.py:label", "from": "shop.py:<module>", "site": "DEFAULT = label()"},
]


@pytest.fixture
def snapshot(tmp_path: Path) -> Iterator[IndexSnapshot]:
    index = workspace(tmp_path, {"shop.py": SOURCE}, CALLS)
    yield IndexSnapshot(index)
    index.close()


def unit(snapshot: IndexSnapshot, name: str) -> UnitRecord:
    return snapshot.index.find(f"shop.{name}")[0]


def names(calls: list[Call]) -> dict[str, str]:
    return {call.item.unit.name: call.provenance for call in calls}


def test_a_generator_expression_calls_for_the_function_around_it(snapshot: IndexSnapshot) -> None:
    assert names(outgoing(snapshot, unit(snapshot, "total").id)) == {"price": "both", "rebate": "static"}
    callers = incoming(snapshot, unit(snapshot, "price").id)
    assert names(callers) == {"total": "both", "never": "static"}
    assert (callers[0].calls, callers[0].counting) == (3, "exact")
    assert [line for line, _ in callers[0].places] == [9]
    assert callers[0].item.detail.startswith("shop · 3 calls")


def test_a_class_body_calls_what_the_source_says(snapshot: IndexSnapshot) -> None:
    label, item, module = unit(snapshot, "label"), unit(snapshot, "Item"), snapshot.units_in("shop.py")[0]
    callers = {call.item.unit.id: (call.provenance, call.calls) for call in incoming(snapshot, label.id)}
    assert callers == {item.id: ("both", 2), module.id: ("both", 1)}
    assert [(c.item.unit.id, c.calls) for c in outgoing(snapshot, item.id)] == [(label.id, 2)]
    assert [(c.item.unit.id, c.calls) for c in outgoing(snapshot, module.id)] == [(label.id, 1)]


def test_calls_of_one_sort(snapshot: IndexSnapshot) -> None:
    total, price = unit(snapshot, "total"), unit(snapshot, "price")
    calls = outgoing(snapshot, total.id)
    assert set(names(only(snapshot, calls, "observed", callees_of=total))) == {"price"}
    assert set(names(only(snapshot, calls, "static", callees_of=total))) == {"rebate"}
    assert set(names(only(snapshot, calls, "never-taken", callees_of=total))) == {"rebate"}
    callers = incoming(snapshot, price.id)
    assert set(names(only(snapshot, callers, "static"))) == {"never"}
    assert set(names(only(snapshot, callers, "never-taken"))) == set(), (
        "never was not seen, so neither was its not calling"
    )


def test_the_networkx_graph_says_the_same(snapshot: IndexSnapshot) -> None:
    graph = snapshot.index.graph()
    total, price = unit(snapshot, "total"), unit(snapshot, "price")
    edge = graph.edges[total.id, price.id]
    assert (edge["provenance"], edge["calls"], edge["sites"]) == ("both", 3, ((10, 15),))
    assert graph.nodes[price.id]["calls"] == 3
    assert {graph.nodes[caller]["name"] for caller in graph.predecessors(price.id)} == {"total", "never"}
    assert snapshot.index.graph(runs=()).edges[total.id, price.id]["provenance"] == "static"


OPEN = """\
def apply(handlers, event, callback):
    callback(event)
    handlers[event](event)
    handlers[event](event)
    return event.send()

def ring(event):
    return event
"""


def test_a_call_that_nothing_resolves_is_listed_with_its_reason_until_it_is_seen_running(tmp_path: Path) -> None:
    ran = {"call": "hooks.py:ring", "times": 2, "from": "hooks.py:apply", "site": "callback(event)"}
    index = workspace(tmp_path, {"hooks.py": OPEN}, [ran])
    apply = index.find("hooks.apply")[0]
    found = {one.callee: one for one in unresolved(IndexSnapshot(index, ()), apply.id)}
    assert set(found) == {"callback", "handlers[event]", "event.send"}
    assert all(one.reason for one in found.values())
    assert [line for line, _ in found["handlers[event]"].places] == [2, 3]
    # No run is no evidence; the run says what `callback` was.
    seen = unresolved(IndexSnapshot(index), apply.id)
    assert [one.callee for one in seen] == ["handlers[event]", "event.send"]
    index.close()
