"""An indexed copy of the application that the samples were recorded from."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tracelens_indexer.profiles.rows import AnchorKey, RunRow, UnitProfile
from tracelens_indexer.source.lower import lower
from tracelens_indexer.store import IndexedFile, Writer
from tracelens_indexer.store.index import Index
from tracelens_indexer.traces.anchors import blob_id
from tracelens_indexer.workspace import discover

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
FILES = {
    path.name: gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for path in sorted(SAMPLES.iterdir())
}
"""The samples, unpacked."""
LONG_AGO = 1_600_000_000


def index(writer: Writer, root: Path) -> None:
    """Index the sources without embeddings: the import needs units alone."""
    files = []
    for source in discover(root):
        content = (root / source.path).read_bytes()
        stat = (root / source.path).stat()
        files.append(
            IndexedFile(
                source.path,
                source.module,
                blob_id(content),
                blob_id(content),
                len(content),
                stat.st_mtime_ns,
                lower(content),
            )
        )
    writer.replace_files(files, sorted(set(writer.known_files()) - {file.path for file in files}))


@dataclass
class Shop:
    """The real writer of a real store, which also shows what it was given."""

    root: Path
    writer: Writer
    run: RunRow | None = None
    profiles: dict[AnchorKey, UnitProfile] = field(default_factory=dict)

    @property
    def index(self) -> Index:
        return self.writer.index

    def has_run(self, content_hash: str) -> bool:
        return self.writer.has_run(content_hash)

    def add_run(self, run: RunRow, profiles: dict[AnchorKey, UnitProfile]) -> int | None:
        self.run, self.profiles = run, profiles
        return self.writer.add_run(run, profiles)

    def profile(self, scope: str) -> UnitProfile:
        return next(profile for key, profile in self.profiles.items() if key.scope == scope)

    def key(self, scope: str) -> AnchorKey:
        return next(key for key in self.profiles if key.scope == scope)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    root = tmp_path / "ws"
    shutil.copytree(HERE / "app", root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    for file in root.rglob("*.py"):
        # Older than every recording, as sources usually are.
        os.utime(file, (LONG_AGO, LONG_AGO))
    with Writer(root) as writer:
        index(writer, root)
        yield Shop(root, writer)
