"""How well trained vectors find units by the first sentence of their docstring, on the development projects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy

from tracelens_indexer.embedding.static import MOST_CHARACTERS, MOST_PIECES, shares
from tracelens_indexer.embedding.text import text_of
from training.corpus import Module
from training.pairs import asks, first_sentence, mine

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

_QUESTIONS = 1_000


def embedded(tokenizer: Tokenizer, weights: NDArray[float32], texts: Sequence[str]) -> NDArray[float32]:
    """(texts, dimension), rows of length 1: what embedding/static.py computes, from weights that are not exported."""
    encoded = tokenizer.encode_batch([text[:MOST_CHARACTERS] for text in texts], add_special_tokens=False)
    counts = shares(MOST_PIECES)
    pieces = [one.ids[:MOST_PIECES] or [100] for one in encoded]
    rows = [counts[: len(ids)] @ weights[ids] for ids in pieces]
    vectors = numpy.stack(rows)
    return numpy.asarray(vectors / (numpy.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9), dtype=numpy.float32)


@dataclass(frozen=True, slots=True)
class Project:
    """The units of a project as texts without docstrings, and the questions that ask for some of them."""

    texts: tuple[str, ...]
    questions: tuple[tuple[str, int], ...]
    """(sentence, place of the text that answers)."""


def project(modules: Iterable[Module]) -> Project:
    found = [unit for module in modules for unit in mine(module)]
    texts = tuple(
        text_of(unit.module, unit.unit.scope, unit.unit.signature, "", unit.body, unit.unit.kind) for unit in found
    )
    first = [first_sentence(unit.unit.docstring) for unit in found]
    asked = [(sentence, place) for place, sentence in enumerate(first) if asks(sentence)]
    return Project(texts, tuple(asked[:_QUESTIONS]))


def mrr(tokenizer: Tokenizer, weights: NDArray[float32], asked: Project) -> float:
    """Mean reciprocal rank among the first ten, by vectors alone."""
    if not asked.questions:
        return 0.0
    questions = embedded(tokenizer, weights, [text for text, _ in asked.questions])
    scores = questions @ embedded(tokenizer, weights, asked.texts).T
    ranks = [(row > row[place]).sum() for row, (_, place) in zip(scores, asked.questions, strict=True)]
    return float(numpy.mean([1.0 / (rank + 1) if rank < 10 else 0.0 for rank in ranks]))
