"""Units are named as Python names its code objects: without that, no trace joins."""

from __future__ import annotations

import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

from tests.source.corpus import STANDARD_LIBRARY, sample
from tracelens_indexer.source.facts import FileFacts
from tracelens_indexer.source.lower import lower

needs_qualname = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="3.10 has no co_qualname; 3.12 inlines comprehensions"
)


def code_objects(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from code_objects(constant)


def names_by_python(source: bytes) -> Counter[tuple[str, str, int]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile(source, "<source>", "exec", dont_inherit=True)
    return Counter((one.co_qualname, one.co_name, one.co_firstlineno) for one in code_objects(code))


def names_by_lowering(facts: FileFacts) -> Counter[tuple[str, str, int]]:
    return Counter((unit.scope, unit.name, unit.first_line) for unit in facts.units)


@needs_qualname
@pytest.mark.parametrize("path", sample(120), ids=lambda path: str(path.relative_to(STANDARD_LIBRARY)))
def test_units_of_the_standard_library_are_its_code_objects(path: Path) -> None:
    source = path.read_bytes()
    try:
        expected = names_by_python(source)
    except (SyntaxError, ValueError):
        pytest.skip("is not valid Python on purpose")
    facts = lower(source)
    assert names_by_lowering(facts) == expected
    assert facts.errors == 0


@needs_qualname
@pytest.mark.parametrize(
    "source",
    [
        "f = lambda x=(lambda: 1): (lambda: x)",
        "def f(x=lambda: 0, *, y=[i for i in ()]) -> (lambda: 1)(): return lambda: x",
        "class A:\n    x = [lambda: y for y in (lambda: z)()]\n    g = (i for i in (j for j in ()))",
        "def f():\n    global g, H\n    def g(): return lambda: 1\n    class H:\n        def m(self): ...",
        "def f():\n    class A:\n        def m(self):\n            return [x for x in {y: z for y, z in ()}]",
        "@a\n@(lambda f: f)\n@b(\n    lambda: 1\n)\n\n# comment\nasync def f(): yield",
        "@x\n# why\n@y\nclass A:\n    @z\n    def m(self): pass",
        "f(x for x in y)\nf(1, (x for x in y))\nf(\n  x for x in y)",
        "try:\n    def f(): pass\nexcept E:\n    def f(): pass\nelse:\n    def f(): return lambda: 1",
        "[[x for x in y] for y in z if [w for w in v]]",
        "async def f(): return [x async for x in y], {await z for z in w}",
        "class A:\n    def __private(self): return lambda: 1\n    class __B: pass",
        "def f(): print(f'{(lambda: 1)()} {[x for x in y]!r:>{(lambda: 2)()}}')",
    ],
)  # fmt: skip
def test_units_are_named_like_code_objects(source: str) -> None:
    text = textwrap.dedent(source).encode()
    assert names_by_lowering(lower(text)) == names_by_python(text)


def test_repeated_definitions_are_told_apart_by_ordinal() -> None:
    units = lower(b"if a:\n    def f(): 1\nelse:\n    def f(): 2\ndef f(): 3\n").units
    assert [(unit.scope, unit.ordinal, unit.first_line) for unit in units[1:]] == [
        ("f", 0, 2),
        ("f", 1, 4),
        ("f", 2, 5),
    ]


def test_a_unit_is_described_whole() -> None:
    source = b'''\
class Warehouse(Base, metaclass=Meta):
    """Keeps
       items."""

    @cached
    @retry(times=3)
    async def find(self, sku: "str", /, near=(1, 2),
                   *rest: int, exact: bool = False, **more) -> list[Item]:
        "Find it."
        yield sku
        # trailing
'''
    facts = lower(source)
    module, warehouse, find = facts.units
    assert (module.scope, module.kind, module.parent, module.first_line, module.end_line) == (
        "<module>",
        "module",
        -1,
        1,
        11,
    )
    assert (warehouse.kind, warehouse.signature) == ("class", "Warehouse(Base, metaclass=Meta)")
    assert warehouse.docstring == "Keeps\nitems."
    assert (find.scope, find.kind, find.parent) == ("Warehouse.find", "method", 1)
    assert (find.first_line, find.def_line, find.end_line) == (5, 7, 10)
    assert (find.name_line, find.name_column) == (7, 14)
    assert find.decorators == ("cached", "retry(times=3)")
    assert find.docstring == "Find it."
    assert find.is_async and find.is_generator and find.resumes
    assert find.returns == "list[Item]"
    assert find.signature == (
        'find(self, sku: "str", /, near=(1, 2), *rest: int, exact: bool = False, **more) -> list[Item]'
    )
    assert [(p.name, p.kind, p.annotation, p.default, p.line, p.column) for p in find.parameters] == [
        ("self", "positional only", "", "", 7, 19),
        ("sku", "positional only", '"str"', "", 7, 25),
        ("near", "positional", "", "(1, 2)", 7, 40),
        ("rest", "variadic", "int", "", 8, 20),
        ("exact", "keyword only", "bool", "False", 8, 31),
        ("more", "keywords", "", "", 8, 54),
    ]
    assert source[find.start_byte : find.end_byte].startswith(b"@cached")
    assert source[find.start_byte : find.end_byte].endswith(b"yield sku")
    # Decorators run where the function is defined, not in it.
    assert [(site.unit, site.callee, site.line, site.column) for site in facts.sites] == [(1, "retry", 6, 5)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"plain"', "plain"),
        ('r"raw \\d"', "raw \\d"),
        ('"caf\\u00e9"', "café"),
        ('"a" "b"', "ab"),
        ('f"no {doc}"', ""),
        ('b"no"', ""),
        ("'''\n    One.\n\n      Two.\n    '''", "One.\n\n  Two."),
        ("'''bad \\N{escape} \\u12'''", "bad \\N{escape} \\u12"),
    ],
)
def test_docstrings_are_read_and_cleaned(source: str, expected: str) -> None:
    assert lower(f"def f():\n    {source}\n    return 1\n".encode()).units[1].docstring == expected


def test_keyword_lambda_is_not_a_lambda() -> None:
    assert [unit.scope for unit in lower(b"x = lambda: lambda: 0").units] == [
        "<module>", "<lambda>", "<lambda>.<locals>.<lambda>",
    ]  # fmt: skip
