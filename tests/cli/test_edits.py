"""A change as an edit for programs: of the file that it was made for, and of no other."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from tracelens.cli.edits import plain_edit
from tracelens.fix.patch import content_hash

BEFORE = b"a = 1\nb = 2\nc = 3\n"
AFTER = BEFORE.replace(b"2", b"20")


def test_the_lines_that_differ_are_an_edit_in_bytes(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_bytes(BEFORE)
    told = plain_edit(tmp_path, "m.py", content_hash(BEFORE), AFTER)
    assert told["edits"] == [{"path": "m.py", "start_byte": 6, "end_byte": 12, "new_text": "b = 20\n"}]
    assert told["base_hash"] == blake2b(BEFORE, digest_size=16).hexdigest()
    [created] = plain_edit(tmp_path, "new.py", "", AFTER)["edits"]
    assert created["create"] and created["new_text"] == AFTER.decode()


def test_what_was_saved_while_it_was_made_is_not_taken_back(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_bytes(BEFORE + b"d = 4\n")
    told = plain_edit(tmp_path, "m.py", content_hash(BEFORE), AFTER)
    assert told == {"edits": [], "base_hash": "", "no_edit": "m.py was changed meanwhile"}
    (tmp_path / "m.py").unlink()
    assert plain_edit(tmp_path, "m.py", content_hash(BEFORE), AFTER)["edits"] == []


def test_text_that_is_not_utf_8_is_no_edit_instead_of_another_text(tmp_path: Path) -> None:
    before = "# coding: latin-1\na = 'é'\n".encode("latin-1")
    (tmp_path / "m.py").write_bytes(before)
    told = plain_edit(tmp_path, "m.py", content_hash(before), before.replace(b"a =", b"b ="))
    assert told["edits"] == [] and told["no_edit"] == "m.py is not in UTF-8"
