"""Any endpoint that speaks the embeddings part of the OpenAI API. Only the user's own settings can name one."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

_BATCH = 64
_LARGEST_ANSWER = 64_000_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where vectors come from. The key belongs to this address and is sent nowhere else."""

    base_url: str
    key: str = field(repr=False, default="")
    timeout_seconds: float = 60.0


class EndpointEmbedder:
    """Sends the text of units to the endpoint: code leaves the process, so it is never a default."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        self._endpoint = endpoint
        self._model = model

    @property
    def name(self) -> str:
        return f"endpoint/{self._model}"

    @property
    def version(self) -> str:
        """The same model name at another address may be another model."""
        return blake2b(self._endpoint.base_url.encode(), digest_size=4).hexdigest()

    @cached_property
    def dimension(self) -> int:
        return int(self.embed(["dimension"]).shape[1])

    def embed(self, texts: Sequence[str]) -> NDArray[float32]:
        import numpy

        rows: list[list[float]] = []
        for start in range(0, len(texts), _BATCH):
            rows += self._ask([text or " " for text in texts[start : start + _BATCH]])
        try:
            vectors = numpy.asarray(rows, dtype=numpy.float32)
        except (ValueError, TypeError) as error:
            raise self._failed("the vectors are not all of one length") from error
        if vectors.ndim != 2 or not numpy.isfinite(vectors).all():
            raise self._failed("the vectors are not all numbers of one length")
        vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12
        return vectors

    def _ask(self, texts: Sequence[str]) -> list[list[float]]:
        url = self._endpoint.base_url.rstrip("/") + "/embeddings"
        if not url.startswith(("http://", "https://")):
            raise self._failed("the address must begin with http:// or https://")
        headers = {"Content-Type": "application/json"}
        if self._endpoint.key:
            headers["Authorization"] = f"Bearer {self._endpoint.key}"
        body = json.dumps({"model": self._model, "input": list(texts)}).encode("utf-8", "replace")
        request = urllib.request.Request(url, body, headers)  # noqa: S310
        try:
            with _OPENER.open(request, timeout=self._endpoint.timeout_seconds) as answer:
                content: Any = json.loads(answer.read(_LARGEST_ANSWER))
            data = sorted(content["data"], key=lambda row: row["index"])
            rows = [row["embedding"] for row in data]
        except urllib.error.HTTPError as error:
            raise self._failed(f"HTTP {error.code}") from error
        except OSError as error:
            raise self._failed(str(getattr(error, "reason", error)) or type(error).__name__) from error
        except (ValueError, KeyError, TypeError) as error:
            raise self._failed("the answer is not what the embeddings API says") from error
        if len(rows) != len(texts):
            raise self._failed(f"{len(rows)} vectors came for {len(texts)} texts")
        return rows

    def _failed(self, what: str) -> TraceLensError:
        return TraceLensError(
            f"no vectors of {self._model} from {self._endpoint.base_url}: {what}. "
            "What was embedded so far is kept; run the command again, or change [embedding] in your settings"
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key and the user's code go to the address that the user named and to no other."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)
