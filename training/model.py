"""The model that is trained: sentence-transformers' StaticEmbedding over the word pieces of a text."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy
import scipy.sparse
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from tracelens_indexer.embedding.static import MOST_CHARACTERS, MOST_PIECES, shares
from training.pairs import Pair

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

_DROPPED = 0.3
"""Share of the pieces of a text that a training step does not see: no single word may decide."""
_SHARES = shares(MOST_PIECES)


class _Mean(torch.autograd.Function):
    """Weighted sums of rows of a matrix as a sparse product: five times as fast on a CPU as the bag's own way back."""

    @staticmethod
    def forward(
        context: Any, weights: torch.Tensor, ids: torch.Tensor, counts: torch.Tensor, offsets: torch.Tensor
    ) -> torch.Tensor:
        ends = numpy.append(offsets.numpy(), len(ids))
        shape = (len(offsets), weights.shape[0])
        context.matrix = scipy.sparse.csr_matrix((counts.numpy(), ids.numpy(), ends), shape=shape)
        return torch.from_numpy(context.matrix @ weights.detach().numpy())

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        return torch.from_numpy(context.matrix.T @ gradients[0].contiguous().numpy()), None, None, None


class RememberedPieces(StaticEmbedding):
    """Every piece counts as often as it stands there: what a body repeats is what it is about (counting each once
    cost .06 MRR on the development projects), and by its place, as in embedding/static.py."""

    def __init__(self, tokenizer: Tokenizer, weights: NDArray[float32], seed: int) -> None:
        super().__init__(tokenizer, embedding_weights=weights.copy())
        self._ids: dict[str, NDArray[numpy.int64]] = {}
        self._chance = numpy.random.default_rng(seed)

    def remember(self, texts: Sequence[str]) -> None:
        """Split all texts once; epochs ask again and again."""
        for start in range(0, len(texts), 4_096):
            batch = texts[start : start + 4_096]
            cut = [text[:MOST_CHARACTERS] for text in batch]
            for text, encoded in zip(batch, self.tokenizer.encode_batch(cut, add_special_tokens=False), strict=True):
                self._ids[text] = numpy.array(encoded.ids[:MOST_PIECES] or [100])

    def preprocess(self, inputs: list[str], prompt: str | None = None, **kwargs: Any) -> dict[str, torch.Tensor]:
        missing = [text for text in inputs if text not in self._ids]
        self.remember(missing)
        rows, counts = [], []
        for text in inputs:
            ids = self._ids[text]
            places = numpy.arange(len(ids))
            if self.training and len(ids) > 4:
                seen = places[self._chance.random(len(ids)) > _DROPPED]
                places = seen if len(seen) else places
            rows.append(ids[places])
            # A piece that is not seen leaves its place empty: the others count what they count in the whole text.
            counts.append(_SHARES[places] / _SHARES[places].sum())
        offsets = numpy.cumsum([0] + [len(row) for row in rows[:-1]])
        return {
            "input_ids": torch.from_numpy(numpy.concatenate(rows)),
            "counts": torch.from_numpy(numpy.concatenate(counts)),
            "offsets": torch.from_numpy(offsets),
        }

    def forward(self, features: dict[str, torch.Tensor], **kwargs: Any) -> dict[str, torch.Tensor]:
        mean: Any = _Mean.apply
        features["sentence_embedding"] = mean(
            self.embedding.weight, features["input_ids"], features["counts"], features["offsets"]
        )
        return features


def ordered(pairs: Sequence[Pair], batch: int, seed: int) -> list[Pair]:
    """The pairs in the order of training: half of the batches are of one project, whose other units are the hard
    negatives (the same words, other meanings); half are of all. An epoch sees each pair once."""
    chance = numpy.random.default_rng(seed)
    alone: list[list[Pair]] = []
    mixed: list[Pair] = []
    projects: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        projects[pair.project].append(pair)
    for project in sorted(projects):
        found = [projects[project][index] for index in chance.permutation(len(projects[project]))]
        while len(found) >= 2 * batch:
            alone.append(found[:batch])
            mixed += found[batch : 2 * batch]
            found = found[2 * batch :]
        mixed += found
    mixed = [mixed[index] for index in chance.permutation(len(mixed))]
    batches = alone + [mixed[start : start + batch] for start in range(0, len(mixed) - batch + 1, batch)]
    return [pair for index in chance.permutation(len(batches)) for pair in batches[index]]


class _InOrder(SentenceTransformerTrainer):
    """Takes the pairs in the order in which they are given."""

    def get_batch_sampler(self, dataset: Any, batch_size: int, drop_last: bool, **kwargs: Any) -> Any:
        return _Batches(len(dataset), batch_size)


class _Batches(torch.utils.data.Sampler[list[int]]):
    def __init__(self, length: int, size: int) -> None:
        self._length, self.batch_size, self.drop_last = length, size, True

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, self._length - self.batch_size + 1, self.batch_size):
            yield list(range(start, start + self.batch_size))

    def __len__(self) -> int:
        return self._length // self.batch_size


def train(
    tokenizer: Tokenizer,
    weights: NDArray[float32],
    pairs: Sequence[Pair],
    *,
    seed: int,
    epochs: int,
    batch: int,
    rate: float,
    temperature: float,
    folder: str,
) -> tuple[NDArray[float32], float]:
    """((vocabulary, 256) trained token vectors, CPU seconds)."""
    begun = time.process_time()
    torch.manual_seed(seed)
    module = RememberedPieces(tokenizer, weights, seed)
    module.remember(list({text for pair in pairs for text in (pair.question, pair.code)}))
    model = SentenceTransformer(modules=[module], device="cpu")
    rows = [pair for epoch in range(epochs) for pair in ordered(pairs, batch, seed * 1_000 + epoch)]
    data = Dataset.from_dict({"anchor": [pair.question for pair in rows], "positive": [pair.code for pair in rows]})
    ranking = MultipleNegativesRankingLoss(model, scale=1.0 / temperature)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=folder,
        num_train_epochs=1,
        per_device_train_batch_size=batch,
        learning_rate=rate,
        warmup_steps=20,
        lr_scheduler_type="linear",
        seed=seed,
        save_strategy="no",
        optim="adamw_torch_fused",
        report_to=[],
        disable_tqdm=True,
        logging_steps=100,
        dataloader_drop_last=True,
        use_cpu=True,
    )
    loss = MatryoshkaLoss(model, ranking, [256, 128], matryoshka_weights=[1.0, 0.3])
    _InOrder(model=model, args=arguments, train_dataset=data, loss=loss).train()
    trained = module.embedding.weight.detach().numpy().copy()
    return trained, time.process_time() - begun
