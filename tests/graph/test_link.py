"""What a call site means, rule by rule."""

from __future__ import annotations

import random

import pytest

from tests.graph.program import program
from tracelens_indexer.graph.link import link
from tracelens_indexer.source.facts import unit_id
from tracelens_indexer.source.lower import lower

# Scopes


def test_names_are_looked_up_as_python_does() -> None:
    linked = program("""
        def g(): pass
        def f():
            def g(): pass
            def inner():
                g()
            inner()
        def h():
            g()
        class A:
            def g(self): pass
            def m(self):
                g()
            x = [g() for _ in ()]
            y = g()
    """)
    assert linked.edges() == {
        "main.f.<locals>.inner -> main.f.<locals>.g",
        "main.f -> main.f.<locals>.inner",
        "main.h -> main.g",
        "main.A.m -> main.g",
        "main.A.<listcomp> -> main.g",
        "main.A -> main.A.g",
    }


def test_a_parameter_hides_a_function_of_its_name() -> None:
    linked = program("""
        def g(): pass
        def f(g): g()
        def h(): return lambda g: g()
    """)
    assert linked.edges() == set()
    assert linked.outcomes() == {"g": "unresolved: parameter"}


def test_global_and_nonlocal_names() -> None:
    linked = program("""
        def a(): pass
        def b(): pass
        hook = a
        def install():
            global hook
            hook = b
        def run():
            hook()
        def outer():
            step = a
            def change():
                nonlocal step
                step = b
            def use():
                step()
    """)
    assert linked.edges() == {
        "main.run ~> main.a", "main.run ~> main.b",
        "main.outer.<locals>.use ~> main.a", "main.outer.<locals>.use ~> main.b",
    }  # fmt: skip


def test_the_binding_that_reaches_a_call_is_meant() -> None:
    linked = program("""
        def a(): pass
        def b(): pass
        def one():
            f = a
            f()
            f = b
        def two():
            f = a
            f = b
            f()
        def three(x):
            f = a
            while x:
                f()
                f = b
        def four(x):
            f = a
            if x:
                f = b
                return f
            f()
    """)
    assert linked.edges() == {
        "main.one -> main.a", "main.two -> main.b", "main.three ~> main.a", "main.three ~> main.b",
        "main.four -> main.a",
    }  # fmt: skip


def test_alternative_definitions_are_all_possible() -> None:
    linked = program("""
        try:
            from json import loads
        except ImportError:
            def loads(): pass
        if x:
            def f(): 1
        else:
            def f(): 2
        def g(): 1
        def g(): 2
        def use():
            f(), g(), loads()
    """)
    assert linked.edges() == {
        "main.use ~> main.f", "main.use ~> main.f#2", "main.use -> main.g#2", "main.use ~> main.loads",
    }  # fmt: skip


def test_lambdas_and_aliases_are_followed() -> None:
    linked = program("""
        def f(): pass
        g = f
        h = g
        double = lambda x: f()
        def use():
            h()
            double(1)
            (f if x else g)()
            (lambda: f())()
            (k := f)()
    """)
    assert linked.edges() == {
        "main.use -> main.f",
        "main.use -> main.<lambda>",
        "main.<lambda> -> main.f",
        "main.use.<locals>.<lambda> -> main.f",
        "main.use -> main.use.<locals>.<lambda>",
    }


# Imports


PACKAGE = {
    "pkg/__init__.py": """
        from .core import Engine, start as begin
        from . import tools
        from .stars import *
    """,
    "pkg/core.py": """
        from __future__ import annotations
        from .sub.deep import helper
        class Engine:
            def run(self): helper()
        def start(): return Engine()
    """,
    "pkg/tools.py": "def hammer(): pass\ndef _private(): pass\n",
    "pkg/stars.py": """
        __all__ = ["shown", "_odd"]
        __all__ += ["added"]
        def shown(): pass
        def hidden(): pass
        def _odd(): pass
        def added(): pass
    """,
    "pkg/sub/__init__.py": "",
    "pkg/sub/deep.py": """
        from ..tools import hammer
        from ... import nothing
        def helper(): hammer()
    """,
}


@pytest.mark.parametrize(
    ("source", "edge"),
    [
        ("import pkg.tools\npkg.tools.hammer()", "main -> pkg.tools.hammer"),
        ("import pkg\npkg.tools.hammer()", "main -> pkg.tools.hammer"),
        ("import pkg.sub.deep as d\nd.helper()", "main -> pkg.sub.deep.helper"),
        ("from pkg import tools\ntools.hammer()", "main -> pkg.tools.hammer"),
        ("from pkg.sub import deep\ndeep.helper()", "main -> pkg.sub.deep.helper"),
        ("from pkg import begin\nbegin()", "main -> pkg.core.start"),
        ("from pkg import begin\nbegin().run()", "main -> pkg.core.Engine.run"),
        ("from pkg import Engine as E\nE().run()", "main -> pkg.core.Engine.run"),
        ("from pkg import shown\nshown()", "main -> pkg.stars.shown"),
        ("from pkg import *\nadded()", "main -> pkg.stars.added"),
        ("from pkg.stars import *\n_odd()", "main -> pkg.stars._odd"),
        ("from pkg.tools import *\nhammer()", "main -> pkg.tools.hammer"),
        ("def f():\n    from pkg.tools import hammer\n    hammer()", "main.f -> pkg.tools.hammer"),
    ],
)
def test_imports_lead_to_the_definition(source: str, edge: str) -> None:
    assert edge in program(PACKAGE | {"main.py": source}).edges()


def test_relative_imports_stay_inside_their_package() -> None:
    edges = program(PACKAGE).edges()
    assert {"pkg.core.Engine.run -> pkg.sub.deep.helper", "pkg.sub.deep.helper -> pkg.tools.hammer"} <= edges


def test_stars_bring_only_what_is_published() -> None:
    linked = program(PACKAGE | {"main.py": "from pkg.stars import *\nhidden()\nfrom pkg.tools import *\n_private()"})
    assert not any(edge.startswith("main ") for edge in linked.edges())
    assert linked.outcomes()["hidden"] == "unresolved: unknown name"


def test_what_is_outside_says_which_module() -> None:
    linked = program("""
        import os.path, json as j
        from collections.abc import Mapping
        from numpy import *
        from .missing import thing
        os.path.join()
        j.loads().get()
        Mapping()
        array()
        thing()
        print(len(x))
        "a".join(b).upper()
        [].append()
        undefined_but_starred()
    """)
    assert linked.outcomes() == {
        "os.path.join": "external: module os", "j.loads": "external: module json",
        "j.loads().get": "external: module json", "Mapping": "external: module collections",
        "array": "external: module numpy", "thing": "unresolved: module .missing not found",
        "print": "external: builtin", "len": "external: builtin", '"a".join': "external: builtin",
        '"a".join(b).upper': "external: builtin", "[].append": "external: builtin",
        "undefined_but_starred": "external: module numpy",
    }  # fmt: skip


def test_layouts_without_configuration() -> None:
    linked = program(
        {
            "src/shop/__init__.py": "",
            "src/shop/pricing.py": "def price(): pass",
            "src/space/inner/mod.py": "def f(): pass",
            "tests/helper.py": "def given(): pass",
            "tests/test_pricing.py": "from shop.pricing import price\nfrom helper import given\nprice(), given()",
            "scripts/run.py": "import helper\nfrom space.inner import mod\nhelper.other(), mod.f()",
            "scripts/helper.py": "def other(): pass",
            "scripts/json.py": "def loads(): pass",
            "scripts/uses.py": "import json\njson.loads()",
        }
    )
    assert linked.edges() == {
        "tests.test_pricing -> shop.pricing.price", "tests.test_pricing -> tests.helper.given",
        "scripts.run -> scripts.helper.other", "scripts.run -> space.inner.mod.f",
    }  # fmt: skip


def test_among_packages_of_one_name_the_nearest_is_meant() -> None:
    linked = program(
        {
            f"{side}/{path}": source
            for side in ("a", "b")
            for path, source in {
                "src/core/__init__.py": f"def f(): {side!r}",
                "src/core/uses.py": "import core\ncore.f()",
                "tests/test_it.py": "from core import f\nf()",
            }.items()
        }
    )
    paths = {
        unit_id(path, unit.scope, unit.ordinal): path
        for path, (_, facts) in linked.files.items()
        for unit in facts.units
    }
    assert {(paths[edge.caller], paths[edge.callee]) for edge in linked.links.edges} == {
        ("a/src/core/uses.py", "a/src/core/__init__.py"), ("a/tests/test_it.py", "a/src/core/__init__.py"),
        ("b/src/core/uses.py", "b/src/core/__init__.py"), ("b/tests/test_it.py", "b/src/core/__init__.py"),
    }  # fmt: skip


# Classes


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


# Circles and bounds


def test_circular_imports_and_inheritance_end() -> None:
    linked = program(
        {
            "a.py": """
            from b import *
            from b import x, B
            class A(B):
                def f(self): self.g(); x(); y()
        """,
            "b.py": """
            from a import *
            from a import x, A
            class B(A):
                def g(self): self.f(); super().f()
            def y(): pass
        """,
            "c.py": """
            class C(C): pass
            class D(E): pass
            class E(D):
                def h(self): self.h(); self.no()
            C(), D()
            z = z()
            z()
        """,
            "d.py": """
            import d
            d.d.d.f()
            def f(): return f()
            f()()()
        """,
        }
    )
    assert {"a.A.f -> b.B.g", "a.A.f -> b.y", "c.E.h -> c.E.h", "d -> d.f"} <= linked.edges()
    assert len(linked.links.resolutions) == sum(len(facts.sites) for _, facts in linked.files.values())


def test_a_name_that_a_circle_also_defines_is_found() -> None:
    linked = program(
        {
            "a.py": "try:\n    from b import f\nexcept ImportError:\n    def f(): pass\n",
            "b.py": "from a import f\nf()\n",
            "c.py": "from b import f\nf()\n",
        }
    )
    assert {"b ~> a.f", "c ~> a.f"} <= {edge.replace("->", "~>") for edge in linked.edges()}


def test_long_chains_end() -> None:
    count = 2_000
    classes = "class C0:\n    def f(self): pass\n" + "".join(f"class C{n}(C{n - 1}): pass\n" for n in range(1, count))
    aliases = "a0 = print\n" + "".join(f"def f{n}(): return f{n - 1}()\n" for n in range(1, count))
    modules = {f"m{n}.py": f"from m{n - 1} import g" for n in range(1, 500)}
    linked = program(
        {
            "a.py": classes + f"C{count - 1}().f()\nC50().f()\n",
            "b.py": aliases + f"f{count - 1}().x()\n",
            "m0.py": "def g(): pass",
            "e.py": "from m499 import g\ng()\nfrom m40 import g as h\nh()\n",
            **modules,
        }
    )
    assert {"a -> a.C0.f", "e -> m0.g"} <= linked.edges()
    assert linked.outcomes()["g"] == "resolved"


def test_the_order_of_the_files_does_not_matter() -> None:
    files = {path: ("x", lower(source.encode())) for path, source in PACKAGE.items()}
    expected = link(files)
    for seed in range(5):
        paths = list(files)
        random.Random(seed).shuffle(paths)
        assert link({path: files[path] for path in paths}) == expected


def test_no_files_are_no_links() -> None:
    assert (link({}).edges, link({}).resolutions) == ((), ())
