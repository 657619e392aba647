"""Whether remembering what a function returned would help and do no harm, and the decorator that does so.

Both have to be shown: that it was called with the same arguments again and gave the same each time (from the kept
calls), and that it depends on nothing else and changes nothing (from its source, as far as its own file goes; in doubt
it does). What is proposed has made those recorded calls again that can be, before anybody sees it.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracelens.annotate.edits import behind_imports, bound_names
from tracelens.fix.evidence import Function
from tracelens.fix.patch import Edit, Patch, Source, make_patch
from tracelens_indexer.store.answers import CaptureRecord
from tracelens_recorder.redact import REDACTED

LEAST_CALLS = 5
_LEAST_NS = 2_000
"""A look into the cache costs a tenth of a microsecond, and a little more for each argument."""
_DEEPEST = 3
"""Functions of the file that call each other, one after the other."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NUMBERS = _words("bool int float complex")
"""A cache takes 1, 1.0 and True for the same."""
_UNCHANGING = _words("bool int float complex str bytes NoneType None")
"""Types whose values can be a key, and be handed to several callers. A tuple may hold a list."""
_PURE = _words(
    "abs all any ascii bin bool bytes chr complex dict divmod enumerate filter float format frozenset hash hex int "
    "isinstance issubclass len list map max min oct ord pow range repr reversed round set slice sorted str sum tuple "
    "type zip"
)
_PURE_MODULES = _words("math cmath operator itertools string unicodedata fractions statistics")
_PURE_METHODS = _words(
    "get items keys values index count copy join split rsplit splitlines strip lstrip rstrip lower upper title "
    "casefold capitalize startswith endswith replace find rfind partition rpartition removeprefix removesuffix "
    "encode decode format zfill ljust rjust center isdigit isalpha isalnum isspace isupper islower isidentifier "
    "is_integer as_integer_ratio bit_length hex union intersection difference issubset issuperset isdisjoint"
)
_GROWING = _words("append extend add insert update setdefault pop popitem remove discard clear sort reverse")
"""Methods that change a value: of what the function has made itself they are nobody else's business."""
_MUTABLE = (ast.List, ast.Dict, ast.Set)


@dataclass(frozen=True, slots=True)
class Repeated:
    """What the kept calls say."""

    calls: int
    distinct: int
    """Different arguments among them."""

    @property
    def again(self) -> int:
        return self.calls - self.distinct


def repeated(captures: Sequence[CaptureRecord]) -> Repeated | str:
    """How often the kept calls that returned had arguments seen before; or why that is no case for a cache."""
    results: dict[tuple[tuple[str, str, str], ...], tuple[str, str]] = {}
    numbers: dict[str, str] = {}
    returned = [one for one in captures if not one.outcome]
    if len(returned) < LEAST_CALLS:
        return f"fewer than {LEAST_CALLS} calls were kept"
    for one in returned:
        if one.result is None or one.result[0] not in _UNCHANGING or not _in_full(one.result[1]):
            return "what it returns can be changed, or was not recorded in full"
        for name, kind, text in one.arguments:
            if kind not in _UNCHANGING or not _in_full(text):
                return f"{name} takes what is no key of a cache, or was not recorded in full"
            if kind in _NUMBERS and numbers.setdefault(name, kind) != kind:
                return f"{name} takes numbers of several types, and a cache takes 1, 1.0 and True for the same"
        if one.arguments in results and results[one.arguments] != one.result:
            return "it gave different results for the same arguments"
        # The clock is always noted, read or not: that a function reads it, its source says.
        if {"tape", "random"} & ((one.replay or {}).get("world") or {}).keys():
            return "it takes from outside: chance, or another package"
        results[one.arguments] = one.result
    taken = [one.duration_ns for one in returned if one.duration_ns >= 0]
    if taken and sorted(taken)[len(taken) // 2] < _LEAST_NS:
        return "it is as quick as a cache would be"
    found = Repeated(len(returned), len(results))
    return found if found.again * 2 >= found.calls else "its calls seldom repeat"


def _in_full(text: str) -> bool:
    return "…" not in text and REDACTED not in text


def impure(tree: ast.Module, node: Function) -> str:
    """Why a function may depend on more than its arguments or change something, as a clause; "" when it does not."""
    if isinstance(node, ast.AsyncFunctionDef):
        return "it is a coroutine"
    if node not in tree.body:
        return "it is a method, or lies in another function"
    return _Module(tree).why(node, 0)


class _Module:
    def __init__(self, tree: ast.Module) -> None:
        defined = Counter(one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.ClassDef))
        stored = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}
        self._functions = {
            one.name: one
            for one in tree.body
            if isinstance(one, ast.FunctionDef) and defined[one.name] == 1 and one.name not in stored
        }
        self._imported = {name: what for name, what in bound_names(tree).items() if not what.startswith(".")}
        self._constants = _constants(tree)
        """Those that can be read; and those that can be changed under another name, with that."""
        self._looked_at: set[str] = set()

    def why(self, node: ast.FunctionDef, depth: int) -> str:
        if depth > _DEEPEST:
            return "what it calls goes deeper than was looked"
        self._looked_at.add(node.name)
        if node.decorator_list:
            return "it has a decorator already"
        if any(not _is_unchanging(one) for one in [*node.args.defaults, *node.args.kw_defaults] if one is not None):
            return "it has a default that can be changed"
        arguments = node.args
        own = {a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
        own |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a}
        stored = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        called: list[str] = []
        for inner in _inside(node):
            if told := self._told(inner, own, stored, called):
                return told
        for name in called:
            if name in self._looked_at:
                continue
            if told := self.why(self._functions[name], depth + 1):
                return f"it calls {name}: {told}"
        return ""

    def _told(self, node: ast.AST, own: set[str], stored: set[str], called: list[str]) -> str:
        match node:
            case ast.Yield() | ast.YieldFrom() | ast.Await() | ast.Global() | ast.Nonlocal() | ast.Delete():
                return "it yields, waits, or writes what is not its own"
            case ast.Import() | ast.ImportFrom() | ast.With() | ast.ClassDef() | ast.FunctionDef():
                return "it imports, opens or defines something"
            case ast.Attribute(ctx=ast.Store()) | ast.Subscript(value=ast.expr(), ctx=ast.Store()):
                return "" if _root(node) in stored - own else "it writes into a value"
            case ast.Name(id=name, ctx=ast.Load()):
                if name in self._functions and name not in own | stored:
                    called.append(name)
                known = (
                    name in own | stored or name in _PURE or name in self._functions or self._constants.get(name) == ""
                )
                known = known or self._imported.get(name, "").partition(".")[0] in _PURE_MODULES
                known = known or isinstance(getattr(builtins, name, None), type)
                return "" if known else f"it reads {name}{self._constants.get(name, '')}"
            case ast.Call(func=ast.Name(id=name)):
                outside = self._imported.get(name, "").partition(".")[0]
                kind = getattr(builtins, name, None)
                known = name in _PURE or outside in _PURE_MODULES or name in stored - own or name in self._functions
                known = known or (isinstance(kind, type) and issubclass(kind, BaseException))
                return "" if known else f"it calls {name}"
            case ast.Call(func=ast.Attribute(attr=attribute) as function):
                root = _root(function)
                if self._imported.get(root, "").partition(".")[0] in _PURE_MODULES or attribute in _PURE_METHODS:
                    return ""
                return "" if attribute in _GROWING and root in stored - own else f"it calls {ast.unparse(function)}"
            case ast.Call():
                return "it calls what is not named"
        return ""


def _inside(node: ast.FunctionDef) -> Iterator[ast.AST]:
    for statement in node.body:
        yield from ast.walk(statement)


def _root(node: ast.AST) -> str:
    """ "a" of a.b[c].d; "" where it begins with something else."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _constants(tree: ast.Module) -> dict[str, str]:
    """Names in capitals that the module binds once, to a literal, and whose value nothing in the file changes: "", or
    how what the file does with it could change it."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    literal: dict[str, ast.expr] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name) and target.id.isupper() and _is_literal(statement.value):
                    literal[target.id] = statement.value
    bound: Counter[str] = Counter()
    changed: set[str] = set()
    aliased: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            changed.update(node.names)
        elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            changed.add(_root(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _GROWING:
            changed.add(_root(node.func))
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound[node.id] += 1
        elif isinstance(node, ast.Name) and node.id in literal and not _is_only_read(node, parents[node]):
            aliased.add(node.id)
    found: dict[str, str] = {}
    for name, value in literal.items():
        if bound[name] == 1 and name not in changed:
            # What holds lists hands them out.
            inner = [one for one in ast.walk(value) if one is not value]
            if _is_unchanging(value) or (name not in aliased and not any(isinstance(one, _MUTABLE) for one in inner)):
                found[name] = ""
            else:
                found[name] = ", which can be changed under another name"
    return found


def _is_only_read(node: ast.Name, parent: ast.AST) -> bool:
    """Whether no other name or place can hold the value from here on."""
    match parent:
        case ast.Subscript() | ast.Compare() | ast.FormattedValue():
            return True
        case ast.Attribute(attr=attribute):
            return attribute in _PURE_METHODS
        case ast.For() | ast.comprehension():
            return parent.iter is node
        case ast.If() | ast.While() | ast.IfExp():
            return parent.test is node
        case ast.Call(func=ast.Name(id=name)):
            return name in _PURE
    return False


def _is_unchanging(node: ast.expr) -> bool:
    return _is_literal(node) and not any(isinstance(one, _MUTABLE) for one in ast.walk(node))


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def cached(source: Source, node: Function) -> Patch:
    """The file with `functools.cache` above the function. Raises ValueError when that does not parse."""
    bound = bound_names(source.tree)
    imported = ""
    at = behind_imports(source)
    name = next((name for name, what in bound.items() if what == "functools.cache"), "")
    if not name:
        module = next((name for name, what in bound.items() if what == "functools"), "")
        if not module:
            before = "\n" if at and not _imports(source.tree) else ""
            imported = f"{before}import functools\n" + ("" if at else "\n\n")
        name = f"{module or 'functools'}.cache"
    line = source.line_start(node.lineno)
    # Two edits at one place would be in no order.
    if line == at:
        return make_patch(source, [Edit(at, at, f"{imported}@{name}\n")])
    return make_patch(source, [Edit(line, line, f"@{name}\n"), *([Edit(at, at, imported)] if imported else ())])


def _imports(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)
