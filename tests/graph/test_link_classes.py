"""What a call on an object means: constructors, the order of bases, attributes, annotations, returns, decorators."""

from __future__ import annotations

import pytest

from tests.graph.program import program


def test_calling_a_class_runs_its_constructor() -> None:
    linked = program("""
        from dataclasses import dataclass
        class Own:
            def __init__(self): pass
        class Inherits(Own): pass
        class Both:
            def __new__(cls): return super().__new__(cls)
            def __init__(self): pass
        @dataclass
        class Data:
            x: int
        class Error(Exception): pass
        def make():
            Own(), Inherits(), Both(), Data(1), Error()
    """)
    assert linked.edges() == {
        "main.make -> main.Own.__init__", "main.make -> main.Both.__new__", "main.make -> main.Both.__init__",
        "main.make -> main.Data", "main.make -> main.Error",
    }  # fmt: skip
    assert linked.outcomes()["super().__new__"] == "external: builtin"


def test_methods_are_found_along_the_mro() -> None:
    linked = program("""
        class Root:
            def f(self): pass
            def g(self): pass
        class Left(Root):
            def f(self): super().f()
        class Right(Root):
            def f(self): super().f()
            def g(self): pass
        class Both(Left, Right):
            def f(self):
                super().f()
                self.g()
            @classmethod
            def make(cls):
                cls.other()
                cls().g()
            @staticmethod
            def other(): pass
        def use():
            Both.make()
            Both().f()
            both = Both()
            both.g()
            super(Left, both).f()
    """)
    assert linked.edges() == {
        "main.Left.f ~> main.Root.f", "main.Left.f ~> main.Right.f", "main.Right.f -> main.Root.f",
        "main.Both.f -> main.Left.f",
        "main.Both.f -> main.Right.g", "main.Both.make -> main.Both.other", "main.Both.make -> main.Both",
        "main.Both.make -> main.Right.g", "main.use -> main.Both.make", "main.use -> main.Both",
        "main.use -> main.Both.f", "main.use -> main.Right.g", "main.use -> main.Right.f",
    }  # fmt: skip


def test_bases_outside_the_workspace_may_have_what_is_missing() -> None:
    linked = program("""
        import unittest
        class Case(unittest.TestCase):
            def helper(self): pass
            def test(self):
                self.helper()
                self.assertEqual()
                super().setUp()
                self.nothing.more()
        class Odd(make()):
            def f(self): self.g()
        class Plain:
            def f(self): self.missing()
    """)
    assert linked.edges() == {"main.Case.test -> main.Case.helper"}
    outcomes = linked.outcomes()
    assert outcomes["self.assertEqual"] == outcomes["super().setUp"] == "external: module unittest"
    assert outcomes["self.g"] == "unresolved: dynamic base"
    assert outcomes["self.missing"] == "unresolved: attribute not found"


def test_attributes_that_hold_instances() -> None:
    linked = program("""
        class Pump:
            def flow(self): pass
        class Meter:
            def read(self): pass
        class Engine:
            spare = None
            default = Meter()
            def __init__(self, meter: "Meter", other):
                self.pump = Pump()
                self.meter = meter
                self.other = other
                self.spare = Pump() if other else None
                self.items = []
            @property
            def main(self): return self.pump
            def run(self):
                self.pump.flow()
                self.meter.read()
                self.main.flow()
                self.spare.flow()
                self.default.read()
                self.items.append(1)
                self.other.read()
        engine = Engine(1, 2)
        def use():
            engine.run()
            engine.pump.flow()
    """)
    assert linked.edges() == {
        "main.Engine -> main.Meter", "main.Engine.__init__ -> main.Pump", "main.Engine.run -> main.Pump.flow",
        "main.Engine.run ~> main.Meter.read", "main.Engine.run -> main.Meter.read", "main -> main.Engine.__init__",
        "main.use -> main.Engine.run", "main.use -> main.Pump.flow",
    }  # fmt: skip
    outcomes = linked.outcomes()
    assert outcomes["self.items.append"] == "external: builtin"
    assert outcomes["self.other.read"] == "unresolved: attribute not found"


@pytest.mark.parametrize(
    "annotation",
    [
        "Warehouse",
        '"Warehouse"',
        "Optional[Warehouse]",
        "Warehouse | None",
        '"Warehouse | None"',
        "t.Annotated[Warehouse, 1]",
    ],
)
def test_annotations_are_likely(annotation: str) -> None:
    linked = program(f"""
        import typing as t
        from typing import Optional
        def use(w: {annotation}, *rest: Warehouse, **more):
            w.find()
            rest.find()
            more.get()
        class Warehouse:
            def find(self): pass
    """)
    assert linked.edges() == {"main.use ~> main.Warehouse.find"}
    assert linked.outcomes()["more.get"] == "external: builtin"


def test_annotated_fields_and_returns_are_likely() -> None:
    linked = program("""
        from dataclasses import dataclass
        @dataclass
        class Order:
            buyer: Buyer
            def total(self): self.buyer.pay()
        class Buyer:
            def pay(self): pass
        def load(x) -> Order: return x
        def plain(x) -> "list[Order]": return x
        def use():
            load(1).total()
            plain(1).append(2)
            buyer: Buyer = unknown()
            buyer.pay()
    """)
    assert linked.edges() == {
        "main.Order.total ~> main.Buyer.pay", "main.use ~> main.Order.total", "main.use -> main.load",
        "main.use -> main.plain", "main.use ~> main.Buyer.pay",
    }  # fmt: skip


def test_what_functions_return_is_followed() -> None:
    linked = program("""
        class A:
            def again(self): return self
            def __enter__(self): return self
            def __call__(self): pass
        def make(): return A()
        async def later(): return make()
        def adder():
            def add(): pass
            return add
        async def use():
            make().again().again()
            (await later()).again()
            adder()()
            with make() as a:
                a.again()
            make()()
            x = make()
            x = x.again()
            x.again()
            type(x)().again()
    """)
    assert linked.edges() == {
        "main.make -> main.A", "main.later -> main.make", "main.use -> main.make", "main.use -> main.A.again",
        "main.use -> main.later", "main.use -> main.adder", "main.use -> main.adder.<locals>.add",
        "main.use -> main.A.__call__", "main.use -> main.A",
    }  # fmt: skip


def test_decorators_are_applied_by_the_code_around() -> None:
    linked = program("""
        import functools
        def plain(f): return f
        def configured(n):
            def decorate(f): return f
            return decorate
        class Registry:
            def tag(self, f): return f
        registry = Registry()
        @plain
        @configured(3)
        def a(): pass
        class B:
            @registry.tag
            @functools.cache
            def m(self): pass
        @functools.cache
        def c(): pass
        a(), c()
    """)
    assert linked.edges("decorates") == {
        "main -> main.plain", "main -> main.configured.<locals>.decorate", "main.B -> main.Registry.tag",
    }  # fmt: skip
    assert linked.edges() == {"main -> main.configured", "main -> main.Registry", "main -> main.a", "main -> main.c"}


def test_nothing_is_guessed_from_a_name_alone() -> None:
    linked = program("""
        class Only:
            def very_special_name(self): pass
        def use(x):
            x.very_special_name()
            x[0]()
            for y in x:
                y.very_special_name()
    """)
    assert linked.edges() == set()
    assert linked.outcomes() == {
        "x.very_special_name": "unresolved: dynamic attribute", "x[0]": "unresolved: dynamic value",
        "y.very_special_name": "unresolved: dynamic attribute",
    }  # fmt: skip


def test_too_many_candidates_are_said_to_be() -> None:
    definitions = "\n".join(f"if x == {number}:\n    def f(): {number}" for number in range(100))
    linked = program(definitions + "\ndef use(): f()\n")
    assert linked.edges() == set()
    assert linked.outcomes()["f"].startswith("unresolved: ")
