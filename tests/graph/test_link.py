"""What a name in a call site means, scope by scope; and that linking ends, whatever goes in circles."""

from __future__ import annotations

from tests.graph.program import program
from tracelens_indexer.graph.link import link


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


def test_no_files_are_no_links() -> None:
    assert (link({}).edges, link({}).resolutions) == ((), ())
