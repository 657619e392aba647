"""From a model's answer to a patch, strictly: edits of the one function and nothing dangerous, or a refusal and why."""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
from collections import Counter
from collections.abc import Iterator

from tracelens.fix.evidence import Function
from tracelens.fix.patch import Edit, Patch, Source, make_patch

_FENCE = re.compile(r"^(`{3,})[ \t]*([\w+-]*)[ \t]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_SEARCH = re.compile(r"^<{5,} SEARCH[ \t]*\n(.*?)^={5,}[ \t]*\n(.*?)^>{5,} REPLACE[ \t]*$", re.MULTILINE | re.DOTALL)

_HARMLESS_IMPORTS = frozenset(
    [
        "math",
        "re",
        "json",
        "datetime",
        "collections",
        "itertools",
        "functools",
        "operator",
        "decimal",
        "fractions",
        "statistics",
        "string",
        "textwrap",
        "enum",
        "dataclasses",
        "typing",
        "bisect",
        "heapq",
        "copy",
        "__future__",
        "contextlib",
        "asyncio",
        "numbers",
        "calendar",
        "unicodedata",
    ]
)
_DANGEROUS_CALLS = frozenset(
    [
        "eval",
        "exec",
        "compile",
        "__import__",
        "open",
        "breakpoint",
        "input",
        "globals",
        "locals",
        "vars",
        "setattr",
        "delattr",
        "exit",
        "quit",
    ]
)
_DANGEROUS_NAMES = frozenset(
    [
        "os",
        "sys",
        "subprocess",
        "socket",
        "ctypes",
        "pickle",
        "shutil",
        "importlib",
        "builtins",
        "multiprocessing",
        "threading",
        "signal",
        "marshal",
        "requests",
        "urllib",
        "http",
        "ftplib",
        "smtplib",
        "asyncio.subprocess",
    ]
)
_DANGEROUS_ATTRIBUTES = frozenset(
    [
        "system",
        "popen",
        "spawn",
        "fork",
        "execv",
        "execve",
        "_exit",
        "remove",
        "unlink",
        "rmtree",
        "rmdir",
        "rename",
        "chmod",
        "chown",
        "kill",
        "loads",
        "__subclasses__",
        "__globals__",
        "__builtins__",
        "__code__",
        "__bases__",
        "__mro__",
        "__import__",
        "__dict__",
        "__class__",
        "__reduce__",
    ]
)


class Refused(Exception):
    """Why an answer is not used, as the end of "the answer was refused: …"."""


def patch_from(answer: str, source: Source, node: Function) -> Patch:
    """The patch that an answer describes. Raises Refused."""
    fences = [body for _, _, body in _FENCE.findall(answer)]
    if len(fences) > 1 and sum("<<<<<" in one for one in fences) not in (0, len(fences)):
        raise Refused("it mixes a whole function with SEARCH/REPLACE blocks")
    blocks = _SEARCH.findall("\n".join(fences) if fences else answer)
    if blocks:
        edits = list(_replacements(blocks, source, node))
    elif len(fences) == 1:
        edits = [_whole_function(fences[0], source, node)]
    else:
        raise Refused(f"it holds {len(fences) or 'no'} fenced blocks, one was asked for")
    try:
        patch = make_patch(source, edits)
    except ValueError as error:
        raise Refused(str(error)) from None
    _check(source, node, patch)
    return patch


def _replacements(blocks: list[tuple[str, str]], source: Source, node: Function) -> Iterator[Edit]:
    start, end = source.span(node)
    start = source.line_start(node.lineno)
    text = source.text[start:end].replace("\r\n", "\n")
    if "\r\n" in source.text[start:end]:
        raise Refused("SEARCH/REPLACE in a file with Windows line ends; the whole function is needed")
    for search, replacement in blocks:
        if not search.strip():
            raise Refused("an empty SEARCH text")
        place, length, indent = _find(search, text)
        new = textwrap.indent(replacement, indent) if indent else replacement
        if length and not text[place : place + length].endswith("\n"):
            new = new.removesuffix("\n")
        yield Edit(start + place, start + place + length, new)


def _find(search: str, text: str) -> tuple[int, int, str]:
    """(place, length, indentation to add) of a SEARCH text: exactly, or with all its lines indented by as much."""
    for candidate in (search, search.rstrip("\n")):
        if text.count(candidate) == 1:
            return text.index(candidate), len(candidate), ""
        if text.count(candidate) > 1:
            raise Refused("a SEARCH text occurs more than once in the function")
    first = next(line for line in search.split("\n") if line.strip())
    for line in text.split("\n"):
        if line.endswith(first) and not line[: len(line) - len(first)].strip():
            indent = line[: len(line) - len(first)]
            moved = textwrap.indent(search, indent).rstrip("\n")
            if indent and text.count(moved) == 1:
                return text.index(moved), len(moved), indent
    raise Refused("a SEARCH text does not occur in the function")


def _whole_function(text: str, source: Source, node: Function) -> Edit:
    text = unindented(text)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Refused(f"it does not parse ({error})") from None
    if len(tree.body) != 1 or not isinstance(tree.body[0], (ast.FunctionDef, ast.AsyncFunctionDef)):
        raise Refused(f"it holds something else than the function {node.name}")
    new = tree.body[0]
    if new.name != node.name:
        raise Refused(f"it edits {new.name}, not {node.name}")
    if new.decorator_list and [ast.dump(one) for one in new.decorator_list] != [
        ast.dump(one) for one in node.decorator_list
    ]:
        raise Refused("it changes the decorators")
    lines = text.split("\n")[new.lineno - 1 : new.end_lineno]
    start, end = source.span(node)
    indent = source.text[source.line_start(node.lineno) : start]
    if indent.strip():
        raise Refused("the function does not begin its line")
    return Edit(start, end, _indented("\n".join(lines), indent))


def unindented(text: str) -> str:
    """Code moved to the left as far as its first line is indented; lines that begin inside a string stay."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    if not indent:
        return text
    inside = {number - 1 for number in _inside_strings("if True:\n" + text)}
    return "\n".join(
        line if number in inside else line.removeprefix(indent) for number, line in enumerate(text.split("\n"), 1)
    )


def _inside_strings(text: str) -> set[int]:
    """Numbers of the lines that begin inside a string, 1-based."""
    inside: set[int] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.end[0] > token.start[0] and token.type not in (tokenize.NEWLINE, tokenize.NL):
                inside.update(range(token.start[0] + 1, token.end[0] + 1))
    except (tokenize.TokenError, SyntaxError):  # whoever parses it will say so
        pass
    return inside


def _indented(text: str, indent: str) -> str:
    """All lines but the first indented, except where a line begins inside a string."""
    inside = _inside_strings(text)
    lines = text.split("\n")
    return "\n".join(
        line if number == 1 or number in inside or not line.strip() else indent + line
        for number, line in enumerate(lines, 1)
    )


def _check(source: Source, node: Function, patch: Patch) -> None:
    from tracelens.fix.evidence import find_function

    text = patch.content.decode(source.encoding)
    after = Source(source.path, patch.content, source.encoding, text)
    scope = _scope_of(source, node)
    new = find_function(after, *scope)
    if new is None or new.name != node.name or type(new) is not type(node):
        raise Refused(f"{node.name} is not the same function any more")
    if _parameters(new) != _parameters(node):
        raise Refused("it changes the parameters")
    if _outside(source.tree, node) != _outside(after.tree, new):
        raise Refused("it edits more than the function")
    for danger in _dangers(node, new):
        raise Refused(danger)


def _scope_of(source: Source, node: Function) -> tuple[str, int]:
    """The qualified name of a function in its file, and which of that name it is."""
    seen: Counter[str] = Counter()

    def walk(body: list[ast.AST], prefix: str) -> tuple[str, int] | None:
        for one in body:
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = prefix + one.name
                if one is node:
                    return name, seen[name]
                if not isinstance(one, ast.ClassDef):
                    seen[name] += 1
                inner = walk(list(one.body), name + ("." if isinstance(one, ast.ClassDef) else ".<locals>."))
            else:
                inner = walk(list(ast.iter_child_nodes(one)), prefix)
            if inner is not None:
                return inner
        return None

    return walk(list(source.tree.body), "") or (node.name, 0)


def _parameters(node: Function) -> list[str]:
    arguments = node.args
    named = [one.arg for one in arguments.posonlyargs + arguments.args]
    rest = [f"*{arguments.vararg.arg}" if arguments.vararg else "*"]
    rest += [one.arg for one in arguments.kwonlyargs]
    rest += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return [str(len(arguments.posonlyargs)), *named, *rest]


def _outside(tree: ast.Module, node: Function) -> str:
    """The module without the function's body and signature."""
    body, arguments, returns = node.body, node.args, node.returns
    node.body, node.args, node.returns = [ast.Pass()], ast.arguments([], [], None, [], [], None, []), None
    try:
        return ast.dump(tree)
    finally:
        node.body, node.args, node.returns = body, arguments, returns


def _dangers(before: Function, after: Function) -> Iterator[str]:
    """What a patch adds that no repair of one function needs."""
    old, new = _used(before), _used(after)
    for kind, name in new:
        if new[kind, name] > old[kind, name]:
            if kind == "import" and name.partition(".")[0] not in _HARMLESS_IMPORTS:
                yield f"it adds an import of {name}"
            elif kind == "call" and name in _DANGEROUS_CALLS:
                yield f"it adds a call of {name}"
            elif kind == "name" and name in _DANGEROUS_NAMES:
                yield f"it adds a use of {name}"
            elif kind == "attribute" and name in _DANGEROUS_ATTRIBUTES:
                yield f"it adds a use of .{name}"
            elif kind == "swallow":
                yield "it hides the exception instead of repairing its cause"
            elif kind == "scope":
                yield f"it adds {name}"


def _used(node: ast.AST) -> Counter[tuple[str, str]]:
    used: Counter[tuple[str, str]] = Counter()
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            used.update(("import", alias.name) for alias in one.names)
        elif isinstance(one, ast.ImportFrom):
            used["import", "." * one.level + (one.module or "")] += 1
        elif isinstance(one, ast.Name):
            used["name", one.id] += 1
            if one.id in _DANGEROUS_CALLS:  # also under another name
                used["call", one.id] += 1
        elif isinstance(one, ast.Attribute):
            used["attribute", one.attr] += 1
        elif isinstance(one, ast.ExceptHandler) and _hides(one):
            used["swallow", ""] += 1
        elif isinstance(one, ast.Global):
            used["scope", "a global statement"] += 1
    return used


def _hides(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches everything, or drops what it catches without a trace."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")) for kind in kinds
    )
    raises = any(isinstance(one, ast.Raise) for one in ast.walk(handler))
    drops = all(isinstance(one, (ast.Pass, ast.Expr)) and not _is_call(one) for one in handler.body)
    return (broad and not raises) or drops


def _is_call(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
