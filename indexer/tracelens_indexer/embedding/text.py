"""The text of a unit: what is embedded and what full text searches. One decision, in one place."""

from __future__ import annotations

import re

from tracelens_indexer.source.facts import Unit, qualname

SEARCHED_KINDS = ("module", "class", "function", "method")
"""Lambdas and comprehensions have no name to be found by; they are part of the unit around them."""

TEXT_VERSION = "1"
"""Part of every unit's text hash: a change of this file's decisions embeds everything again."""

_LIMIT = 2_000
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


def unit_text(module: str, unit: Unit, source: bytes) -> str:
    """Name in words, signature, docstring, then the beginning of the body; at most 2,000 characters.

    A model reads the first few hundred tokens only, so what says most comes first. Of a class its outline is in its
    methods, which have texts of their own; of a module only the docstring says anything as a whole.
    """
    name = qualname(module, unit.scope)
    parts = [" ".join(split_words(name)), unit.signature or name, unit.docstring]
    if unit.kind != "module":
        parts.append(source[unit.start_byte : unit.end_byte].decode(errors="replace"))
    return "\n".join(part for part in parts if part)[:_LIMIT]


def split_words(text: str) -> list[str]:
    """Identifiers in their words: "parseHTTPReply_v2" → parse http reply v 2."""
    return [word.lower() for word in _WORD.findall(text)]


def search_words(text: str) -> str:
    """What full text indexes and is asked: whole identifiers and the words they are made of, in lower case."""
    words: list[str] = []
    for token in re.findall(r"\w+", text):
        parts = split_words(token)
        whole = token.lower()
        words.append(whole[:40])
        if parts != [whole]:
            words.extend(parts)
    return " ".join(words)
