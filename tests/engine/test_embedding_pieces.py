"""Word pieces that are remembered are those that the tokenizer gives."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tracelens_indexer.embedding.pieces import Pieces
from tracelens_indexer.embedding.static import WEIGHTS

CODE = st.text(alphabet="abXYZ_09 .()[]'\"#=\n\t", max_size=60)
ANY = st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace").decode())
SPECIAL = st.sampled_from(
    ("[PAD]", "a[UNK]b", "[ CLS]", "x\x00y", "a\x0cb", "\u212aelvin_2", "i\u0307", "1_000", "v2ABc")
)


@cache
def tokenizer() -> Any:
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    return made


@cache
def remembering() -> Pieces:
    return Pieces(tokenizer())


@given(st.lists(CODE | SPECIAL | ANY, max_size=6))
@example(["parseHTTPReply_v2(x2y) " + "a" * 150, "", "[MASK]"])
def test_pieces_are_those_of_the_tokenizer(texts: list[str]) -> None:
    wanted = [one.ids for one in tokenizer().encode_batch(texts, add_special_tokens=False)]
    assert remembering().of(texts) == wanted
    assert Pieces(tokenizer()).of(texts) == wanted


def test_words_are_forgotten_when_there_are_too_many() -> None:
    pieces = Pieces(tokenizer())
    many = [f"word{number}" for number in range(40_000)]
    before = pieces.of(["word7 again", *many])
    assert pieces.of(["word7 again"]) == before[:1]
    assert len(pieces._known) == 2
