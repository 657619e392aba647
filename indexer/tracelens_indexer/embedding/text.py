"""The text of a unit: what is embedded and what full text searches. One decision, in one place."""

from __future__ import annotations

import re

from tracelens_indexer.source.facts import MODULE_SCOPE, Unit, qualname

SEARCHED_KINDS = ("module", "class", "function", "method")
"""Lambdas and comprehensions have no name to be found by; they are part of the unit around them."""

TEXT_VERSION = "2"
"""Part of every unit's text hash: a change of this file's decisions embeds everything again."""

_LIMIT = 2_000
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_TOKEN = re.compile(r"\w+")
_OUTLINE = re.compile(r"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t].*$|^[ \t]+\w+[ \t]*(?::[^=\n]*)?=.*$", re.MULTILINE)
_ASKING = re.compile(
    r"how|what|which|who|where|when|why|do|does|did|can|could|should|would|i|we|you|me|my|our|your|please"
    r"|python[23]?|py",
    re.IGNORECASE,
)
"""Words of asking, and the one word that every unit here could be found by."""
_OUTLINE_FROM = 600
"""Characters of a class from which its outline says more than its beginning."""


def unit_text(module: str, unit: Unit, source: bytes) -> str:
    """The text that stands for a unit of a source file."""
    body = "" if unit.kind == "module" else source[unit.start_byte : unit.end_byte].decode(errors="replace")
    return text_of(module, unit.scope, unit.signature, unit.docstring, body, unit.kind)


def text_of(module: str, scope: str, signature: str, docstring: str, body: str, kind: str) -> str:
    """Name in words, signature, docstring, then the beginning of the body; at most 2,000 characters.

    A transformer reads the first few hundred tokens only, so what says most comes first. Of a long class the outline
    is taken (its header, attributes and methods' first lines): the methods have texts of their own.
    """
    name = qualname(module, scope if scope else MODULE_SCOPE)
    parts = [" ".join(split_words(name)), signature or name, docstring]
    if kind == "class" and len(body) > _OUTLINE_FROM:
        body = "\n".join(match.strip() for match in _OUTLINE.findall(body))
    parts.append(body)
    return "\n".join(part for part in parts if part)[:_LIMIT]


def split_words(text: str) -> list[str]:
    """Identifiers in their words: "parseHTTPReply_v2" → parse http reply v 2."""
    return [word.lower() for word in _WORD.findall(text)]


def search_words(text: str) -> str:
    """What full text indexes: whole identifiers and the words they are made of, in lower case."""
    words: list[str] = []
    for token in _TOKEN.findall(text):
        parts = split_words(token)
        whole = token.lower()
        words.append(whole[:40])
        if parts != [whole]:
            words.extend(parts)
    return " ".join(words)


def question_words(question: str) -> str:
    """What full text is asked for a question: its words without those of asking, "read a file in" for "how do I read a
    file in python?"; all of them where nothing else is left."""
    kept = [word for word in _TOKEN.findall(question) if not _ASKING.fullmatch(word)]
    return search_words(" ".join(kept) or question)
