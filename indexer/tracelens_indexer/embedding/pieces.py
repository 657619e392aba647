"""Texts to the word pieces of the default embedder: the tokenizer's own result, several times as fast.

The tokenizer splits at white space and punctuation before anything else, and code says the same words again and again:
what each becomes is asked once and kept. Texts for which that could differ from the tokenizer's answer go to it whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import Any

_WORD = re.compile(r"\w+|[^\w\s]", re.ASCII)
_MOST_WORDS = 32_768
"""Words that are remembered (about 8 MB); at more all are forgotten, since the next project has its own."""


class Pieces:
    """Remembers what words became; one tokenizer without padding and truncation."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}
        special = [re.escape(token.content) for token in tokenizer.get_added_tokens_decoder().values()]
        # Other scripts and control characters are rewritten, and special tokens found, across the borders of words.
        self._rewritten = re.compile(r"[^\t\n\r -~]")
        self._special = re.compile("|".join(special))

    def of(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of the word pieces of each text."""
        words = [
            None if self._rewritten.search(text) or self._special.search(text) else _WORD.findall(text)
            for text in texts
        ]
        if len(self._known) > _MOST_WORDS:
            self._known.clear()
        known = self._known
        new = {word for found in words if found for word in found if word not in known}
        asked = [*new, *(text for text, found in zip(texts, words, strict=True) if found is None)]
        encoded = [one.ids for one in self._tokenizer.encode_batch(asked, add_special_tokens=False)]
        known.update(zip(new, encoded, strict=False))
        whole = iter(encoded[len(new) :])
        return [
            next(whole) if found is None else list(chain.from_iterable(map(known.__getitem__, found)))
            for found in words
        ]
