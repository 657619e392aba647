"""Where values go: what a call site means when its callee came a long way."""

from __future__ import annotations

import pytest

from tests.graph.program import program
from tracelens_indexer.graph.flowing import Flowing

PRELUDE = "def f(): pass\ndef g(): pass\n"


@pytest.mark.parametrize(
    ("source", "targets"),
    [
        ("def use(h): h()\nuse(f)", "use -> f"),
        ("def use(*, h=g): h()\nuse(h=f)", "use -> f"),
        ("def use(h=f): h()\nuse()", "use -> f"),
        ("def use(*a, **k): a[1](); k['x']()\nuse(1, f, x=g)", "use -> f, use -> g"),
        ("def use(a, b): a(); b()\nuse(*[f], **{'b': g})", "use -> f, use -> g"),
        ("def give(): yield f\nfor x in give(): x()", "main -> f"),
        ("a, *b = [1, f, g]\nb[1]()", "main -> g"),
        ("[f, g][0:1][0]()", "main -> f"),
        ("d = {'a': {'b': f}}\nd['a']['b'] = g\nd['a']['b']()", "main -> g"),
        ("d = {}\nd.update({'a': f})\nd['a']()", "main -> f"),
        ("for k, v in {'a': f}.items(): v()", "main -> f"),
        ("l = []\nl.append(f)\n[x() for x in l]", "main.<listcomp> -> f"),
        ("list(map(lambda x: x(), [f]))", "main -> <lambda>, <lambda> -> f"),
        ("sorted([1], key=f)", "main -> f"),
        ("from functools import partial\ndef use(a, h): h()\npartial(use, 1)(f)", "main -> use, use -> f"),
        ("x = 1\nif x: h = f\nelse: h = g\nh()", "main ~> f, main ~> g"),
        ("class A:\n  def visit_x(self): pass\n  def go(self, n): getattr(self, f'visit_{n}')()", "A.go ~> A.visit_x"),
        ("def same(x): return x\nsame(f)()\ndef use(): same(g)()", "main -> f, use -> g"),
    ],
)
def test_functions_are_followed(source: str, targets: str) -> None:
    edges = {edge.replace("main.", "") for edge in program(PRELUDE + source).edges()}
    wanted = {edge.replace("main.<listcomp>", "<listcomp>") for edge in targets.split(", ")}
    assert wanted <= edges
    unwanted = {f"{edge.split(' ')[0]} {arrow} {name}" for edge in wanted for arrow in ("->", "~>") for name in "fg"}
    assert not (unwanted - wanted) & edges


def test_decorated_functions_are_not_merged() -> None:
    linked = program("""
        import functools
        def log(function):
            @functools.wraps(function)
            def wrapper(*args): return function(*args)
            return wrapper
        @log
        def a(): return A()
        @log
        def b(): return B()
        class A:
            def m(self): pass
        class B:
            def m(self): pass
        def use(): a().m()
    """)
    assert {"main.use -> main.log.<locals>.wrapper", "main.use -> main.A.m"} <= linked.edges()
    assert not any(edge.endswith("B.m") for edge in linked.edges())


def test_what_python_calls_itself_is_implicit() -> None:
    linked = program("""
        class A:
            def __enter__(self): return self
            def __exit__(self, *why): pass
            def __iter__(self): return self
            def __next__(self): return 1
            def __add__(self, other): return self
            @property
            def size(self): return 1
            @size.setter
            def size(self, value): pass
        class Wrong(Exception):
            def __init__(self): pass
        def use():
            with A() as a:
                for x in a: pass
                a + a
                if a.size: a.size = 2
            raise Wrong
    """)
    assert linked.edges() == {"main.use -> main.A"}
    assert {edge.split("-> ")[1] for edge in linked.edges("implicit")} == {
        "main.A.__enter__", "main.A.__exit__", "main.A.__iter__", "main.A.__next__", "main.A.__add__", "main.A.size",
        "main.A.size#2", "main.Wrong.__init__",
    }  # fmt: skip


def test_annotations_count_only_where_nothing_flows() -> None:
    linked = program("""
        class A:
            def m(self): pass
        class B(A):
            def m(self): pass
        def known(x: A): x.m()
        def unknown(x: A): x.m()
        known(B())
    """)
    assert {"main.known -> main.B.m", "main.unknown ~> main.A.m"} <= linked.edges()
    assert not {"main.known -> main.A.m", "main.known ~> main.A.m"} & linked.edges()


@pytest.mark.parametrize(
    "source",
    [
        "f(" * 5000 + ")" * 5000,
        "x" + ".a()" * 5000,
        "[" * 5000 + "]" * 5000,
        "l = []\nl.append(l)\nfor a in l:\n  for b in a: b()\nd = {}\nd['a'] = d\nd.update(d)\nd['a']['a']()",
        "m = map(map, [map])\nfrom functools import partial as p\nq = p(p, p)\nq = p(q, q)\nq(q)(q)",
        "f = lambda f: f(f)\nf(f)",
        "\n".join(f"def f{i}(a, b=f{max(i - 1, 0)}): return f{max(i - 1, 0)}(a.get('k{i}'), b)" for i in range(3000)),
    ],
    ids=["calls", "chain", "lists", "containers in themselves", "partials of themselves", "self application", "long"],
)
def test_hostile_programs_end_with_an_outcome_for_every_site(source: str) -> None:
    linked = program(source)
    assert len(linked.links.resolutions) == sum(len(facts.sites) for _, facts in linked.files.values())


def test_work_that_makes_more_work_ends_at_its_bound() -> None:
    """Indexing sqlalchemy took all the memory there was: rules that only called for rules were not counted in time."""
    flowing = Flowing(8)
    node = flowing.new_nodes(1)

    def again(value: int) -> None:
        flowing.watch(node, again)

    flowing.add(node, 1)
    flowing.watch(node, again)
    flowing.run(1_000)
    assert flowing.exhausted
