"""From source files to (question, code) pairs: what a person may ask, and the unit that answers.

Each unit gives several views of itself. The text of the code is the text that the product embeds
(tracelens_indexer.embedding.text), without what the question was taken from: a docstring must be found by the code.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from tracelens_indexer.embedding.text import split_words, text_of
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.source.lower import lower
from training.corpus import Module


class Pair(NamedTuple):
    """A question and the text of the code that answers it."""

    project: str
    view: str
    question: str
    code: str


@dataclass(frozen=True, slots=True)
class Mined:
    """A unit with what the views are made of."""

    project: str
    path: str
    module: str
    unit: Unit
    body: str
    """Source without the docstring."""


_DOCSTRING = re.compile(r'^(\s*)([rRuUbBfF]{0,2})("""|\'\'\'|"|\')', re.MULTILINE)
_RAISE = re.compile(r'raise\s+\w+\(\s*[fFrR]?(["\'])((?:(?!\1)[^\\\n]|\\.){12,160})\1')
_COMMENT = re.compile(
    r"^\s*# ?(?!type:|noqa|pragma|TODO|XXX|FIXME|pylint|mypy|ruff|fmt|isort)([A-Za-z].{14,160})$", re.M
)
_MARKUP = re.compile(r":[\w:]+:`~?([^`]*)`|`+([^`]*)`+|\*\*?(\w[^*]*)\*\*?")
_SECTION = re.compile(
    r"^\s*(:\w+|Parameters\b|Args:|Returns?\b|Examples?\b|Raises\b|Notes?\b|See Also|References|Yields?\b|>>>|\.\. )",
    re.M,
)


def plain(text: str) -> str:
    """Documentation without its markup, on one line."""
    return " ".join(_MARKUP.sub(lambda match: next(filter(None, match.groups()), ""), text).split())


def first_sentence(docstring: str) -> str:
    """What a docstring says first: the question of the main view, and of the evaluation."""
    paragraph = plain(docstring.strip().split("\n\n")[0])
    found = re.match(r"(.+?[.!?])(\s|$)", paragraph)
    return (found[1] if found else paragraph)[:300].strip()


def asks(sentence: str) -> bool:
    """Whether a sentence says enough to be a question: three words or more, mostly letters."""
    words = re.findall(r"[A-Za-z]{2,}", sentence)
    return len(words) >= 3 and sum(map(len, words)) >= 0.5 * len(sentence) and sentence.isascii()


_SMALL = frozenset(("a", "an", "the", "this", "that", "given", "and", "of", "its", "some", "all"))
_ASKED = ("how to {} in python", "python how to {}", "python {}", "{} in python", "how do i {} in python", "{}")


def asked(sentence: str, chance: random.Random) -> str:
    """A docstring's sentence as people type it into a search field: "Returns the name of a file, if any." becomes
    "how to return name file in python"."""
    words = re.findall(r"[a-z0-9_]+", re.split(r"[,;:.(]", sentence.lower())[0])
    if words and len(words[0]) > 4 and words[0].endswith("s") and not words[0].endswith(("ss", "us", "is")):
        # "returns", "matches", "copies": what the unit does, asked for.
        stem = words[0][:-1]
        words[0] = re.sub(r"(?<=ss|sh)e$|(?<=[rt]ch)e$", "", re.sub("ie$", "y", stem))
    kept = [word for word in words if word not in _SMALL or chance.random() < 0.3]
    return chance.choice(_ASKED).format(" ".join(kept[:9]))


def without_docstring(text: str) -> str:
    """The source of one unit with its own docstring cut out."""
    start = _body_start(text)
    match = _DOCSTRING.match(text, start)
    if not match:
        return text
    quote = match[3]
    end = match.end()
    while True:
        end = text.find(quote, end)
        if end < 0:
            return text
        if text[end - 1] != "\\":
            return text[: match.start()] + text[end + len(quote) :]
        end += 1


def _body_start(text: str) -> int:
    """Where the line after a unit's header begins."""
    depth = 0
    definition = re.search(r"^\s*(async\s+def|def|class)\b", text, re.MULTILINE)
    for index in range(definition.end() if definition else 0, min(len(text), 20_000)):
        letter = text[index]
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == ":" and depth == 0:
            newline = text.find("\n", index)
            return newline + 1 if newline >= 0 else len(text)
    return len(text)


def mine(module: Module) -> Iterator[Mined]:
    """The functions, methods and classes of one source file that have a body worth finding."""
    name = module.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    for unit in lower(module.source).units:
        if unit.kind not in ("class", "function", "method"):
            continue
        text = module.source[unit.start_byte : unit.end_byte].decode(errors="replace")
        body = without_docstring(text)
        if len(body) - len(unit.signature) >= 40:
            yield Mined(module.project, module.path, name, unit, body)


def eval_texts(modules: Iterable[Module]) -> set[str]:
    """What training must not see: first sentences and bodies of the projects that search is measured on."""
    seen: set[str] = set()
    for module in modules:
        for mined in mine(module):
            seen.add(squeezed(first_sentence(mined.unit.docstring)))
            seen.add(squeezed(mined.body))
    seen.discard("")
    return seen


def squeezed(text: str) -> str:
    """Identity of a text, whatever its case, spaces and punctuation; "" when it says too little to be one."""
    words = re.sub(r"\W+", "", text.lower())
    return blake2b(words.encode(), digest_size=8).hexdigest() if len(words) >= 20 else ""


def pairs(modules: Iterable[Module], forbidden: set[str], seed: int) -> list[Pair]:
    """All views of all units, without doubles and without what is forbidden; the same for the same seed."""
    chance = random.Random(seed)
    made: list[Pair] = []
    bodies: set[str] = set()
    tests: dict[str, list[Mined]] = defaultdict(list)
    named: dict[tuple[str, str], list[Mined]] = defaultdict(list)
    for module in modules:
        for mined in mine(module):
            identity = squeezed(mined.body)
            if not identity or identity in bodies or identity in forbidden:
                continue
            bodies.add(identity)
            if re.search(r"(^|/)tests?(/|_|\.)|/test_|conftest", module.path):
                if mined.unit.name.startswith("test_"):
                    tests[mined.project].append(mined)
                continue
            named[mined.project, mined.unit.name].append(mined)
            made += [pair for pair in _views(mined, chance) if squeezed(pair.question) not in forbidden]
    for found in tests.values():
        made += list(_test_views(found, named))
    questions: set[tuple[str, str]] = set()
    kept: list[Pair] = []
    for pair in made:
        key = (pair.project, pair.question.lower())
        if key not in questions:
            questions.add(key)
            kept.append(pair)
    return kept


def _views(mined: Mined, chance: random.Random) -> Iterator[Pair]:
    unit = mined.unit

    def code(body: str, *, docstring: str = "", scope: str = unit.scope, signature: str = unit.signature) -> str:
        return text_of(mined.module, scope, signature, docstring, body, unit.kind)

    sentence = first_sentence(unit.docstring)
    if asks(sentence):
        yield Pair(mined.project, "docstring", sentence, code(mined.body))
        rest = plain(_SECTION.split(unit.docstring.strip().partition(sentence[-20:])[2])[0])
        if asks(rest):
            # Half of the documented units of the product keep their docstring: it is part of the code's text here.
            yield Pair(mined.project, "rest", rest[:300], code(mined.body, docstring=sentence))
        typed = asked(sentence, chance)
        if asks(typed):
            # As on the web: the code that answers has a docstring of its own, in other words.
            yield Pair(mined.project, "asked", typed, code(mined.body, docstring=rest[:400]))
    words = [word for word in split_words(unit.name) if word not in ("init", "self", "get", "set")]
    if len(words) >= 2:
        hidden = re.sub(rf"\b{re.escape(unit.name)}\b", "", mined.body)
        parent = unit.scope.rpartition(".")[0].removesuffix(".<locals>")
        question = words + (split_words(parent) if parent and chance.random() < 0.5 else [])
        prefix = "python " if chance.random() < 0.3 else ""
        kept = unit.docstring[:400] if chance.random() < 0.5 else ""
        yield Pair(
            mined.project,
            "name",
            prefix + " ".join(question),
            code(hidden, docstring=kept, scope=parent or "<module>", signature=unit.signature.removeprefix(unit.name)),
        )
    for match in list(_RAISE.finditer(mined.body))[:2]:
        message = re.sub(r"\{[^}]*\}|%\(?\w*\)?[srd]", " ", match[2])
        if asks(message):
            rest_of = mined.body[: match.start(2)] + mined.body[match.end(2) :]
            yield Pair(mined.project, "error", " ".join(message.split()), code(rest_of))
    for match in list(_COMMENT.finditer(mined.body))[:2]:
        if asks(match[1]):
            yield Pair(
                mined.project, "comment", match[1], code(mined.body[: match.start()] + mined.body[match.end() :])
            )


def _test_views(tests: Iterable[Mined], named: dict[tuple[str, str], list[Mined]]) -> Iterator[Pair]:
    """The words of a test's name, and the function it names that exists once in the project and that it calls."""
    for test in tests:
        for called in dict.fromkeys(re.findall(r"(\w+)\(", test.body)):
            units = named.get((test.project, called), [])
            if len(units) == 1 and called.strip("_") in test.unit.name and len(called) > 4:
                target = units[0]
                question = " ".join(split_words(test.unit.scope))
                text = text_of(
                    target.module, target.unit.scope, target.unit.signature, "", target.body, target.unit.kind
                )
                yield Pair(test.project, "test", question, text)
                break
