"""What real folders hold beside good code: nothing overflows, loops, or is dropped without a word."""

from __future__ import annotations

import pytest

from tests.graph.program import Program, program
from tracelens_indexer.source.facts import unit_id

DEEP = 5_000


def every_site_is_told_of(linked: Program) -> bool:
    written = sum(len(facts.sites) for _, facts in linked.files.values())
    told = [(one.unit, one.line, one.column) for one in linked.links.resolutions]
    return len(told) == written and all(one.reason for one in linked.links.resolutions if one.status == "unresolved")


def test_functions_around_a_syntax_error_keep_their_edges() -> None:
    linked = program("""
        def a(): pass
        def b(): a()
        def broken(:
            a(
        def c(): b()
        c()
    """)
    assert {"main.b -> main.a", "main.c -> main.b", "main -> main.c"} <= linked.edges()
    assert every_site_is_told_of(linked)


def test_files_that_import_each_other() -> None:
    linked = program(
        {
            "p/__init__.py": "from .a import *\nfrom .b import *\n",
            "p/a.py": "from p import b\nfrom .b import g\nfrom . import *\ndef f(): b.g(); g()\n",
            "p/b.py": "from p import a\nfrom .a import *\ndef g(): a.f(); f()\n",
            "main.py": "import p\np.f(); p.g()\n",
        }
    )
    assert linked.edges() == {"p.a.f -> p.b.g", "p.b.g -> p.a.f", "main -> p.a.f", "main -> p.b.g"}


def test_classes_that_inherit_from_each_other() -> None:
    linked = program("""
        class A(B):
            def f(self): self.g()
        class B(A):
            def g(self): self.f()
        class C(C): pass
        class D(metaclass=D): pass
        A().f(); B().g(); C(); D()
    """)
    assert {"main -> main.A.f", "main -> main.B.g"} <= {edge.replace("~", "-") for edge in linked.edges()}
    assert every_site_is_told_of(linked)


def test_a_generated_file_of_many_lines() -> None:
    lines = ["def f0(x): return x"]
    lines += [f"def f{number}(x): return f{number - 1}(x)" for number in range(1, 12_500)]
    lines += [f"TABLE_{number} = {{'a': f{number}, 'b': [f{number}]}}" for number in range(12_500)]
    lines += [f"TABLE_{number % 12_500}['a']({number})" for number in range(25_000)]
    lines += ["ALL = [" + ", ".join(f"f{number}" for number in range(12_500)) + "]", "ALL[7](0)"]
    linked = program("\n".join(lines))
    assert len(lines) > 50_000 and not linked.links.partial
    assert {"main.f9999 -> main.f9998", "main -> main.f12000"} <= linked.edges()
    assert every_site_is_told_of(linked)


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "(" * DEEP + "f()" + ")" * DEEP,
        "x = " + "[" * DEEP + "f()" + "]" * DEEP,
        "f" + "(f" * DEEP + ")" * DEEP,
        "f" + "()" * DEEP,
        "x = " + "-" * DEEP + "f()",
        "x = f()" + " + f()" * DEEP,
        "x = " + "lambda: " * 1_000 + "f()",
        "if f():\n    pass\n" + "elif f():\n    pass\n" * DEEP,
        "if not " + "(not " * DEEP + "f()" + ")" * DEEP + ":\n    pass",
        "x = f() if f() else " * 1_000 + "f()",
        "".join("    " * at + f"def f{at}():\n" for at in range(90)) + "    " * 90 + "f0()",
        "".join(" " * at + f"if f({at}):\n" for at in range(400)) + " " * 400 + "f()",
    ],
    ids=lambda source: source[:24].strip(),
)
def test_nesting_is_no_matter(source: str) -> None:
    linked = program("def f(*x): return f\n" + source)
    assert any(edge.endswith(("-> main.f", "-> main.f0")) for edge in linked.edges())
    assert every_site_is_told_of(linked)


def test_a_long_chain_of_attributes_is_not_found() -> None:
    linked = program("f = 1\nf" + ".x" * DEEP + "()")
    assert linked.edges() == set()
    assert every_site_is_told_of(linked)


def test_chains_of_values_as_long_as_files() -> None:
    linked = program(
        "def f(): pass\nx0 = f\n" + "".join(f"x{number + 1} = x{number}\n" for number in range(DEEP)) + f"x{DEEP}()\n"
    )
    assert linked.edges() == {"main -> main.f"}


def test_names_in_every_script() -> None:
    linked = program("""
        class Größe:
            def メートル(self): pass
        def функция(μέγεθος: Größe): μέγεθος.メートル()
        def 함수(): функция(Größe())
        함수()
    """)
    assert linked.edges() == {
        "main.функция -> main.Größe.メートル",
        "main.함수 -> main.функция",
        "main.함수 -> main.Größe",
        "main -> main.함수",
    }


def test_definitions_that_depend_and_definitions_again() -> None:
    linked = program("""
        import sys
        if sys.platform == "win32":
            def name(): pass
        else:
            def name(): pass
        try:
            from fast import work
        except ImportError:
            def work(): pass
        def twice(): pass
        twice()
        def twice(): pass
        twice(); name(); work()
    """)
    assert linked.edges() == {
        "main -> main.twice",
        "main -> main.twice#2",
        "main ~> main.name",
        "main ~> main.name#2",
        "main ~> main.work",
    }


def test_namespace_packages_and_src_layouts_and_packages_of_one_name() -> None:
    linked = program(
        {
            "one/src/shop/plugins/a.py": "def a(): pass\n",
            "one/src/shop/core.py": "from shop.plugins import a\nfrom .plugins.a import a as also\na.a(); also()\n",
            "one/tests/test_core.py": "from shop.plugins.a import a\na()\n",
            "two/src/shop/__init__.py": "",
            "two/src/shop/core.py": "def run(): pass\n",
            "two/main.py": "from shop.core import run\nrun()\n",
        }
    )
    paths = {
        unit_id(path, unit.scope, unit.ordinal): path
        for path, (_, facts) in linked.files.items()
        for unit in facts.units
    }
    assert {(paths[edge.caller], paths[edge.callee]) for edge in linked.links.edges} == {
        ("one/src/shop/core.py", "one/src/shop/plugins/a.py"),
        ("one/tests/test_core.py", "one/src/shop/plugins/a.py"),
        ("two/main.py", "two/src/shop/core.py"),
    }
    assert every_site_is_told_of(linked)


def test_a_tuple_of_types_that_holds_itself_is_looked_into_once() -> None:
    linked = program(
        """
        class A:
            def run(self): pass

        kinds = (A,)
        for _ in range(3):
            kinds = (kinds, A)

        def use(one):
            if isinstance(one, kinds):
                one.run()
            if isinstance(use, kinds):
                use(one)

        use(A())
        """
    )
    assert not linked.links.partial
    assert "main.use -> main.A.run" in linked.edges()
