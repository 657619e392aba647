"""Text of a condition to a tree: a tokeniser and one function for each rule of the grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from tracelens_indexer.errors import TraceLensError

LONGEST = 500
"""Characters of a condition."""
_DEEPEST = 40

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>\d+(?:_\d+)*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)(?P<unit>ns|us|µs|ms|s\b)?
      | (?P<string>[rbu]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
      | (?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
      | (?P<sign><=|>=|==|!=|<|>|\(|\)|\[|\]|,|-|\+)
    """,
    re.VERBOSE,
)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", "'": "'", '"': '"'}
_COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}

Comparison = Literal["<", "<=", ">", ">=", "==", "!=", "in", "not in"]


class BadCondition(TraceLensError):
    """A condition that cannot be read. `position` counts characters from 0."""

    def __init__(self, message: str, text: str, position: int) -> None:
        self.position = position
        around = text[position : position + 20].replace("\n", " ").strip()
        near = f" near {around!r}" if around else ", at the end"
        super().__init__(f"where: {message} (character {position + 1}{near}). Such as: qty < 0 and outcome != returned")


@dataclass(frozen=True, slots=True)
class Constant:
    value: float | int | str | bool | None
    """A duration in seconds."""


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter, one of our own words, or beside `type` and `outcome` the name of a type."""

    name: str
    position: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Function:
    function: Literal["type", "len"]
    of: Node


@dataclass(frozen=True, slots=True)
class Listed:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """`a < b <= c`: first operand, then pairs."""

    first: Node
    rest: tuple[tuple[Comparison, Node], ...]


@dataclass(frozen=True, slots=True)
class Joined:
    how: Literal["and", "or"]
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    part: Node


Node = Constant | Name | Function | Listed | Compared | Joined | Negated


def parse(text: str) -> Node:
    """The tree of a condition. Raises BadCondition, one line with the position, for anything else."""
    if len(text) > LONGEST:
        raise BadCondition(f"longer than {LONGEST} characters", text, LONGEST)
    parser = _Parser(text)
    if parser.kind == "end":
        parser.fail("an empty condition")
    tree = parser.either()
    if parser.kind != "end":
        parser.fail(f"did not expect {parser.word!r}")
    return tree


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int
    unit: str = ""


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            what = "a text without its closing quote" if text[at] in "'\"" else f"did not expect {text[at]!r}"
            raise BadCondition(what, text, at)
        kind = "number" if match["number"] else str(match.lastgroup)
        if kind != "space":
            word = match["number"] if kind == "number" else match[0]
            found.append(_Token(kind, word, at, match["unit"] or ""))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.at].kind

    @property
    def word(self) -> str:
        return self.tokens[self.at].text

    def fail(self, message: str, token: _Token | None = None) -> NoReturn:
        raise BadCondition(message, self.text, (token or self.tokens[self.at]).position)

    def take(self) -> _Token:
        token = self.tokens[self.at]
        self.at += token.kind != "end"
        return token

    def is_word(self, *words: str) -> bool:
        return self.kind in ("name", "sign") and self.word in words

    def expect(self, sign: str) -> None:
        if not self.is_word(sign):
            self.fail(f"expected {sign!r}")
        self.take()

    def either(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.fail("nested too deeply")
        parts = [self.all_of()]
        while self.is_word("or"):
            self.take()
            parts.append(self.all_of())
        self.depth -= 1
        return parts[0] if len(parts) == 1 else Joined("or", tuple(parts))

    def all_of(self) -> Node:
        parts = [self.negated()]
        while self.is_word("and"):
            self.take()
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else Joined("and", tuple(parts))

    def negated(self) -> Node:
        nots = 0
        while self.is_word("not"):
            self.take()
            nots += 1
        part = self.comparison()
        return Negated(part) if nots % 2 else part

    def comparison(self) -> Node:
        first = self.operand()
        rest: list[tuple[Comparison, Node]] = []
        while operator := self.operator():
            rest.append((operator, self.operand()))
        return Compared(first, tuple(rest)) if rest else first

    def operator(self) -> Comparison | None:
        if self.kind == "sign" and self.word in _COMPARISONS:
            return self.take().text  # type: ignore[return-value]  # one of _COMPARISONS
        if self.is_word("in"):
            self.take()
            return "in"
        if self.is_word("not"):
            self.take()
            if not self.is_word("in"):
                self.fail("expected 'in' after 'not'")
            self.take()
            return "not in"
        if self.is_word("is"):
            self.take()
            if self.is_word("not"):
                self.take()
                return "!="
            return "=="
        return None

    def operand(self) -> Node:
        token = self.take()
        match token.kind:
            case "number":
                return self._number(token, 1)
            case "string":
                return Constant(_unquoted(token.text))
            case "name":
                return self._name(token)
        if token.text in ("-", "+") and self.kind == "number":
            return self._number(self.take(), -1 if token.text == "-" else 1)
        if token.text == "(":
            inside = self.either()
            if self.is_word(","):
                inside = Listed((inside, *self._items(")")))
            self.expect(")")
            return inside
        if token.text == "[":
            items = () if self.is_word("]") else (self.either(), *self._items("]"))
            self.expect("]")
            return Listed(items)
        return self.fail("expected a parameter, a value or '('", token)

    def _items(self, closing: str) -> list[Node]:
        items = []
        while self.is_word(","):
            self.take()
            if self.is_word(closing):
                break
            items.append(self.either())
        return items

    def _number(self, token: _Token, sign: int) -> Node:
        digits = token.text.replace("_", "")
        if token.unit:
            return Constant(sign * float(digits) * _SECONDS[token.unit])
        return Constant(sign * (int(digits) if digits.isdigit() else float(digits)))

    def _name(self, token: _Token) -> Node:
        if token.text in ("True", "False", "None"):
            return Constant({"True": True, "False": False, "None": None}[token.text])
        if token.text in ("and", "or", "not", "in", "is"):
            self.fail(f"did not expect {token.text!r}", token)
        if self.is_word("("):
            if token.text not in ("type", "len"):
                self.fail(f"there is no function {token.text!r}: type(…) and len(…) are all", token)
            self.take()
            inside = self.either()
            self.expect(")")
            return Function("type" if token.text == "type" else "len", inside)
        return Name(token.text, token.position)


def _unquoted(text: str) -> str:
    quote = text[-1]
    prefix, inside = text[: text.index(quote)], text[text.index(quote) + 1 : -1]
    return inside if prefix == "r" else re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), inside)
