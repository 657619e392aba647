"""From trained vectors to what ships: int8 with one scale per row, the tokenizer, and the identity of both."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

LARGEST = 12_000_000
"""Bytes of all files: what an installation may grow by."""


def export(weights: NDArray[float32], tokenizer: Tokenizer, folder: Path) -> int:
    """Write the files that embedding/static.py reads; their bytes together. The same weights give the same files."""
    folder.mkdir(parents=True, exist_ok=True)
    scales = (numpy.abs(weights).max(axis=1) / 127).astype(numpy.float16)
    scales = numpy.maximum(scales, numpy.finfo(numpy.float16).tiny)
    rows = numpy.clip(numpy.rint(weights / scales[:, None].astype(numpy.float32)), -127, 127).astype(numpy.int8)
    numpy.save(folder / "vectors.npy", rows)
    numpy.save(folder / "scales.npy", scales)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    files = [folder / name for name in ("vectors.npy", "scales.npy", "tokenizer.json")]
    identity = blake2b(digest_size=6)
    for file in files:
        identity.update(file.read_bytes())
    (folder / "version.txt").write_text(identity.hexdigest() + "\n", encoding="ascii")
    size = sum(file.stat().st_size for file in files)
    if size > LARGEST:
        raise ValueError(f"{folder}: {size:,} bytes are more than may ship ({LARGEST:,})")
    return size
