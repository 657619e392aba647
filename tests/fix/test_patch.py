"""Patches keep what they do not change, and are applied only to what they were made for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelens.fix.patch import Edit, PatchRefused, Source, apply, make_patch


def test_bytes_encoding_newlines_and_mode_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    content = "# -*- coding: latin-1 -*-\r\nname = 'é'\r\nx = 1 / 0".encode("latin-1")
    file.write_bytes(content)
    file.chmod(0o755)
    source = Source.read(tmp_path, "a.py")
    start = source.text.index("0")
    patch = make_patch(source, [Edit(start, start + 1, "1")])
    assert file.read_bytes() == content
    apply(tmp_path, patch)
    assert file.read_bytes() == content[:-1] + b"1"
    assert file.stat().st_mode & 0o777 == 0o755
    assert [one.name for one in tmp_path.iterdir()] == ["a.py"]


def test_inserted_lines_end_as_the_others_do(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    source = Source.read(tmp_path, "a.py")
    patch = make_patch(source, [Edit(7, 7, "if x:\n    z = 3\n")])
    assert patch.content == b"x = 1\r\nif x:\r\n    z = 3\r\ny = 2\r\n"
    assert patch.size == 2


def test_a_file_that_changed_since_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    patch = make_patch(Source.read(tmp_path, "a.py"), [Edit(4, 5, "2")])
    file.write_text("x = 1  # mine\n")
    with pytest.raises(PatchRefused, match="has changed since"):
        apply(tmp_path, patch)
    assert file.read_text() == "x = 1  # mine\n"


def test_paths_stay_in_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path.parent)
    for path in ("../a.py", "/etc/passwd", "out/a.py"):
        with pytest.raises(PatchRefused):
            Source.read(tmp_path, path)


@pytest.mark.parametrize("edits", [[Edit(0, 1, "x")], [Edit(0, 2, "y"), Edit(1, 3, "z")], [Edit(4, 5, "(")]])
def test_what_changes_nothing_overlaps_or_does_not_parse_is_no_patch(edits: list[Edit], tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(ValueError):
        make_patch(Source.read(tmp_path, "a.py"), edits)


@given(text=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\f\0'\\\ufeff"), max_size=20))
def test_places_are_found_behind_any_text(text: str) -> None:
    code = f"x = ('{text}', target)\n"
    source = Source("a.py", code.encode(), "utf-8", code)
    name = source.tree.body[0].value.elts[1]  # type: ignore[attr-defined]
    assert source.of(name) == "target"
