"""What search is asked in benchmarks/retrieval.py: projects without their docstrings, and CoSQA's web questions.

Each set is written into a folder as source files that the product's own index reads, with (question, unit id) pairs.
"""

from __future__ import annotations

import json
import random
import zipfile
from collections import Counter
from pathlib import Path

from tracelens_indexer.embedding.text import unit_text
from tracelens_indexer.source.facts import unit_id
from tracelens_indexer.source.lower import lower
from tracelens_indexer.workspace import module_names_of
from training.pairs import asks, first_sentence, without_docstring

KINDS = ("class", "function", "method")


def stripped(source: bytes) -> tuple[bytes, dict[tuple[str, int], str]]:
    """(a file without its docstrings, (scope, ordinal) of each documented unit to its first sentence)."""
    sentences: dict[tuple[str, int], str] = {}
    units = [unit for unit in lower(source).units if unit.kind in KINDS]
    text = source
    for unit in sorted(units, key=lambda unit: -unit.start_byte):
        if unit.docstring:
            piece = text[unit.start_byte : unit.end_byte].decode(errors="surrogateescape")
            cut = without_docstring(piece)
            if cut == piece:
                continue
            sentences[unit.scope, unit.ordinal] = first_sentence(unit.docstring)
            at = next((i for i, (a, b) in enumerate(zip(piece, cut, strict=False)) if a != b), len(cut))
            lost = piece[at : at + len(piece) - len(cut)]
            # Something must stand in the body, in its column; the same number of bytes, so that other units stay put.
            indent = lost[: len(lost) - len(lost.lstrip())]
            room = len(lost.encode(errors="surrogateescape")) - len(indent.encode()) - 1
            filled = piece[:at] + indent + "0" + " " * room + piece[at + len(lost) :]
            encoded = filled.encode(errors="surrogateescape")
            text = text[: unit.start_byte] + encoded + text[unit.end_byte :]
    return text, sentences


def unpack(wheel: Path, root: Path) -> list[tuple[str, int]]:
    """Write a wheel's sources without docstrings; the (question, unit id) pairs, each question once, shuffled."""
    found: list[tuple[str, int]] = []
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".py"):
                continue
            text, sentences = stripped(archive.read(name))
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
            found += [
                (sentence, unit_id(name, scope, ordinal))
                for (scope, ordinal), sentence in sentences.items()
                if asks(sentence)
            ]
    often = Counter(sentence for sentence, _ in found)
    kept = {sentence.lower(): (sentence, unit) for sentence, unit in found}
    once = [pair for pair in kept.values() if often[pair[0]] == 1]
    random.Random(7).shuffle(once)
    return once


def cosqa(folder: Path, root: Path) -> tuple[list[tuple[str, int]], frozenset[int]]:
    """Write each function of CoSQA; (its dev and test questions with their units, the units that may answer).

    The functions have no files of their own: each stands in a package "code" in a folder of its own, so that all have
    the same module name (a number in it would be the first word of the unit's text).
    """
    units: dict[int, int] = {}
    codes: dict[str, int] = json.loads((folder / "code_idx_map.txt").read_text())
    for code, place in codes.items():
        name = f"f{place}/code/__init__.py"
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(code)
        unit = next((unit for unit in lower(code.encode()).units if unit.kind in KINDS), None)
        if unit:
            units[place] = unit_id(name, unit.scope, unit.ordinal)
    rows = [row for name in ("dev", "test") for row in json.loads((folder / f"{name}.json").read_text())]
    pairs = [(row["doc"], units[row["retrieval_idx"]]) for row in rows]
    random.Random(7).shuffle(pairs)
    return pairs, frozenset(units.values())


def texts(root: Path) -> dict[int, str]:
    """Unit id to the text that stands for it, of the functions, methods and classes of a folder."""
    found = {}
    names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*.py"))]
    for name, module in module_names_of(names).items():
        source = (root / name).read_bytes()
        for unit in lower(source).units:
            if unit.kind in KINDS:
                found[unit_id(name, unit.scope, unit.ordinal)] = unit_text(module, unit, source)
    return found
