"""Cases as a test file: a new one, or more at the end of one that is there, in its style."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tracelens.testgen.cases import Case
from tracelens.testgen.literals import HELPER, WIDTH, Group, laid_out

Style = Literal["pytest", "unittest"]
_WORDS = re.compile(r"[^0-9a-zA-Z]+")


@dataclass(frozen=True, slots=True)
class Existing:
    """A test file that is there."""

    text: str
    style: Style


def style_of(text: str) -> Style:
    """Classes of unittest and no plain test function make a file unittest's."""
    tree = ast.parse(text)
    plain = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in tree.body)
    classes = any(
        isinstance(node, ast.ClassDef) and any("TestCase" in ast.unparse(base) for base in node.bases)
        for node in tree.body
    )
    return "unittest" if classes and not plain else "pytest"


def one_by_one(cases: Sequence[Case]) -> tuple[str, list[str]]:
    """A file with a test for each case, to see what each is worth, and the tests' names."""
    names = [f"test_case_{number}" for number in range(len(cases))]
    body = [_function(case, name, 0, "pytest") for case, name in zip(cases, names, strict=True)]
    return _file(cases, body, None, "pytest"), names


def whole(cases: Sequence[Case], name: str, about: str, existing: Existing | None = None) -> tuple[str, list[str]]:
    """The file with the cases in it, and the names of the tests that were added. Nothing that is there is changed.

    about: first line of a new file's docstring. Raises ValueError when a name that is needed means something else in
    the file.
    """
    style = existing.style if existing else "pytest"
    taken = _names_in(existing.text) if existing else set()
    body, names = [], []
    rows = [case for case in cases if case.plain] if style == "pytest" else []
    if len(rows) > 1 and len({_signature(case) for case in rows}) == 1:
        table = _unused(f"test_{name}", taken)
        body.append(_table(rows, table))
        names.append(table)
    else:
        rows = []
    for case in cases:
        if case not in rows:
            chosen = _unused(_name(case, name), taken)
            names.append(chosen)
            body.append(_function(case, chosen, 4 if style == "unittest" else 0, style))
    if style == "unittest":
        owner = _unused("Test" + "".join(part.capitalize() for part in name.split("_")) + "Recorded", taken)
        body = ["\n".join([f"class {owner}(unittest.TestCase):", "\n\n".join(body)])]
    return _file(cases, body, existing, style, about), names


def _signature(case: Case) -> tuple[object, ...]:
    return case.target, case.shape, tuple(name for name, _ in case.arguments), case.keywords


def _names_in(text: str) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


def _unused(name: str, taken: set[str]) -> str:
    chosen, number = name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}_{number}"
    taken.add(chosen)
    return chosen


def _name(case: Case, name: str) -> str:
    if case.raises:
        return f"test_{name}_raises_{_snake(case.raises[0])}"
    words = _words_of(case)
    return f"test_{name}{f'_{words}' if words else ''}"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.rpartition(".")[2]).lower()


def _words_of(case: Case) -> str:
    """A few words of its arguments: what it is about."""
    found = []
    for name, text in case.arguments:
        if isinstance(text, Group):
            found.append(f"{'no' if not text.parts else len(text.parts)}_{name}")
        else:
            word = (
                _WORDS.sub("_", text.replace("-", "minus_", 1) if re.fullmatch(r"-[\d.]+", text) else text)
                .strip("_")
                .lower()
            )
            found.append(
                word if word and len(word) <= 16 and not word[0].isdigit() else f"{name}_{word}"[:24].rstrip("_")
            )
    return _WORDS.sub("_", "_".join(found[:3]))[:48].strip("_").lower()


def _call(case: Case, indent: int, values: dict[str, str] | None = None) -> str:
    """The call as source. values: what stands for an argument instead of its literal."""
    target = case.target
    if case.receiver is not None:
        target = f"{(values or {}).get('self') or laid_out(case.receiver, indent)}.{case.target}"
    if case.attribute:
        return case.shape.format(target)
    parts = tuple((values or {}).get(name) or text for name, text in case.arguments)
    prefixes = tuple(f"{name}=" if name in case.keywords else "" for name, _ in case.arguments)
    before, after = case.shape.split("{}")
    return laid_out(Group(f"{before}{target}(", parts, prefixes, f"){after}"), indent, 12)


def _function(case: Case, name: str, indent: int, style: Style) -> str:
    space = " " * (indent + 4)
    lines: list[str] = []
    values: dict[str, str] = {}
    for changed, _ in case.after:
        text = case.receiver if changed == "self" else dict(case.arguments).get(changed)
        if text is None:
            continue
        variable = "one" if changed == "self" else changed
        values[changed] = variable
        lines.append(f"{space}{variable} = {laid_out(text, indent + 4, len(variable) + 3)}")
    lines += [f"{space}{line}" for line in case.stubs]
    call = _call(case, indent + 4, values)
    if case.raises:
        kind, message = case.raises
        if style == "unittest":
            lines.append(f"{space}with self.assertRaises({kind}):")
        else:
            match = (
                f", match={_quoted(re.escape(message))}"
                if 0 < len(message) <= 60 and "[redacted]" not in message
                else ""
            )
            lines.append(f"{space}with pytest.raises({kind}{match}):")
        lines.append(f"{space}    {_call(case, indent + 8, values)}")
    else:
        assert case.expected is not None
        wanted = laid_out(case.expected, indent + 4, 12)
        if values and wanted == "None":
            lines.append(f"{space}{call}")
        else:
            lines.append(space + _assertion(call, wanted, style))
        for changed, text in case.after:
            if changed in values:
                lines.append(space + _assertion(values[changed], laid_out(text, indent + 4, 12), style))
    parameters = ["self"] if style == "unittest" else []
    if case.stubs:
        parameters.append("monkeypatch")
    return "\n".join([f"{' ' * indent}def {name}({', '.join(parameters)}):", *lines])


def _assertion(call: str, wanted: str, style: Style) -> str:
    constant = wanted in ("None", "True", "False")
    if style == "unittest":
        return f"self.assertIs({call}, {wanted})" if constant else f"self.assertEqual({call}, {wanted})"
    return f"assert {call} is {wanted}" if constant else f"assert {call} == {wanted}"


def _quoted(text: str) -> str:
    raw = f'r"{text}"' if "\\" in text and '"' not in text and not text.endswith("\\") else None
    return raw or repr(text)


def _table(cases: Sequence[Case], name: str) -> str:
    first = cases[0]
    columns = [column for column, _ in first.arguments]
    head = ", ".join(f'"{column}"' for column in [*columns, "expected"])
    rows = []
    for case in cases:
        assert case.expected is not None
        parts = (*(text for _, text in case.arguments), case.expected)
        rows.append(f"        {laid_out(Group('(', parts, ('',) * len(parts), ')'), 8)},")
    call = _call(first, 4, {column: column for column in columns})
    constants = {laid_out(case.expected or "", 0) for case in cases} <= {"None", "True", "False"}
    return "\n".join(
        [
            "@pytest.mark.parametrize(",
            f"    ({head}),",
            "    [",
            *rows,
            "    ],",
            ")",
            f"def {name}({', '.join([*columns, 'expected'])}):",
            f"    assert {call} {'is' if constants else '=='} expected",
        ]
    )


def _file(cases: Sequence[Case], body: list[str], existing: Existing | None, style: Style, about: str = "") -> str:
    wanted = {one for case in cases for one in case.imports}
    text = "\n\n\n".join(body)
    if style == "unittest":
        wanted.add(("unittest", ""))
    elif "pytest." in text:
        wanted.add(("pytest", ""))
    helper = any(case.helper for case in cases)
    if existing is None:
        head = [f'"""{about}"""', ""] if about else []
        parts = [*head, *_imports(wanted)]
        return "\n".join([*parts, "", "", *([HELPER, "", text] if helper else [text]), ""])
    return _extended(
        existing.text, wanted, ([HELPER.rstrip()] if helper and "def made(" not in existing.text else []) + body
    )


def _imports(wanted: set[tuple[str, str]]) -> list[str]:
    plain = sorted(f"import {module}" for module, name in wanted if not name)
    named: dict[str, list[str]] = {}
    for module, name in sorted(wanted):
        if name:
            named.setdefault(module, []).append(name)
    lines = [f"from {module} import {', '.join(names)}" for module, names in sorted(named.items())]
    return [*plain, *([""] if plain and lines else []), *[_wrapped(line) for line in lines]]


def _wrapped(line: str) -> str:
    if len(line) <= WIDTH:
        return line
    head, _, names = line.partition(" import ")
    return "\n".join([f"{head} import (", *(f"    {name}," for name in names.split(", ")), ")"])


def _extended(text: str, wanted: set[tuple[str, str]], body: list[str]) -> str:
    tree = ast.parse(text)
    bound: dict[str, tuple[str, str]] = {}
    last = 0
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            last = node.end_lineno or last
            for alias in node.names:
                bound[alias.asname or alias.name] = ("." * node.level + (node.module or ""), alias.name)
        elif isinstance(node, ast.Import):
            last = node.end_lineno or last
            for alias in node.names:
                bound[alias.asname or alias.name] = (alias.name, "")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not last:
            last = node.end_lineno or last
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound[node.name] = ("", node.name)
    missing = set()
    for module, name in wanted:
        known = bound.get(name or module)
        if known is None:
            missing.add((module, name))
        elif known[1] != name or (known[0] != module and not _may_be(known[0], module)):
            raise ValueError(f"{name or module} means something else there")
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    newline = "\r\n" if "\r\n" in text else "\n"
    by_module = {module: {name for one, name in missing if one == module and name} for module, _ in missing}
    placed = [(_sorted_in(tree, module, bool(names), last), module, names) for module, names in by_module.items()]
    for at, module, names in sorted(placed, key=lambda one: one[:2], reverse=True):
        line = _wrapped(f"from {module} import {', '.join(sorted(names))}") if names else f"import {module}"
        lines.insert(at, line.replace("\n", newline) + newline)
    tail = newline * 2 + (newline * 3).join(part.replace("\n", newline) for part in body) + newline
    return "".join(lines) + tail


def _sorted_in(tree: ast.Module, module: str, named: bool, last: int) -> int:
    """The line, 0-based, before which an import of `module` goes: among others of its package."""
    like = [
        (node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name, node)
        for node in tree.body
        if isinstance(node, ast.ImportFrom if named else ast.Import) and not getattr(node, "level", 0)
    ]
    package = module.partition(".")[0]
    own = [(known, node) for known, node in like if known.partition(".")[0] == package]
    for known, node in own:
        if known > module:
            return node.lineno - 1
    return own[-1][1].end_lineno or last if own else last


def _may_be(known: str, module: str) -> bool:
    """A name that comes by way of the package (`from shop import Order`) may be the same; running it will tell."""
    return known.startswith(".") or module.startswith(known + ".")


def snake_scope(scope: str) -> str:
    """ "Order.from_record" → "order_from_record"."""
    return "_".join(_snake(part).strip("_") for part in scope.split("."))
