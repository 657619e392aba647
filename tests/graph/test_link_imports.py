"""What an import leads to: names, modules, stars, packages of one name, and what lies outside."""

from __future__ import annotations

import random

import pytest

from tests.graph.program import program
from tracelens_indexer.graph.link import link
from tracelens_indexer.source.facts import unit_id
from tracelens_indexer.source.lower import lower

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


def test_the_order_of_the_files_does_not_matter() -> None:
    files = {path: ("x", lower(source.encode())) for path, source in PACKAGE.items()}
    expected = link(files)
    for seed in range(5):
        paths = list(files)
        random.Random(seed).shuffle(paths)
        assert link({path: files[path] for path in paths}) == expected
