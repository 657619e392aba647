"""A workspace that stays linked says after every edit what linking it from the beginning says."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tracelens_indexer.graph import flowing
from tracelens_indexer.graph import link as whole
from tracelens_indexer.graph.linker import Linker, Update
from tracelens_indexer.graph.links import Links
from tracelens_indexer.graph.program import Program
from tracelens_indexer.source.facts import FileFacts
from tracelens_indexer.source.lower import lower

REAL = Path(whole.__file__).parents[1]
"""Real files: those of the indexer itself."""


class Workspace:
    """Files in memory, linked once and kept linked."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = dict(sources)
        self.facts = {path: self._facts(path) for path in sources}
        self.linker = Linker(self.facts)

    def _facts(self, path: str) -> tuple[str, FileFacts]:
        return path.removesuffix(".py").replace("/", "."), lower(self.sources[path].encode())

    def edit(self, path: str, before: str, after: str) -> Update:
        assert before in self.sources[path]
        return self.put(path, self.sources[path].replace(before, after, 1))

    def put(self, path: str, source: str) -> Update:
        self.sources[path] = source
        self.facts[path] = self._facts(path)
        return self.linker.update(path, *self.facts[path])

    def from_the_beginning(self) -> Links:
        return whole.link(self.facts)

    def check(self) -> None:
        wanted, kept = self.from_the_beginning(), self.linker.links()
        assert kept.edges == wanted.edges
        assert kept.resolutions == wanted.resolutions


LIBRARY = """\
class Base:
    def run(self):
        return self.step()

    def step(self):
        return 1


class Child(Base):
    def step(self):
        return helper(lambda: 2)


def helper(function, again=None):
    return function()


def twice(function):
    def inner(*args):
        return function(*args)
    return inner


@twice
def decorated(value):
    return value.run()


def pick(flag):
    if flag:
        return Child
    return Base
"""

PROGRAM = """\
from library import Base, Child, decorated, helper, pick, twice


def main():
    chosen = pick(True)
    thing = chosen()
    decorated(thing)
    return thing.run()


def loop(value):
    return loop(value) if value else value


def passing():
    box = {"a": main, "b": loop}
    for name in box:
        box[name]()
    loop(Child())
"""

EDITS = [
    ("a call more", "program.py", "    return thing.run()", "    helper(main)\n    return thing.run()"),
    ("a call less", "program.py", "    decorated(thing)\n", ""),
    ("another value", "library.py", "        return Child\n", "        return helper\n"),
    ("nothing but lines", "library.py", "    def step(self):\n", "    def step(self):\n        # a note\n\n"),
    ("a lambda more", "library.py", "helper(lambda: 2)", "helper(lambda: helper(lambda: 3))"),
    ("a lambda less", "library.py", "helper(lambda: 2)", "2"),
    (
        "a function inside more",
        "library.py",
        "    return inner\n",
        "    def other():\n        return main()\n    return other\n",
    ),
    ("a parameter more", "library.py", "def pick(flag):", "def pick(flag, unused):"),
    ("another kind of parameter", "library.py", "    def inner(*args):", "    def inner(args):"),
    ("a generator now", "library.py", "    return function()\n", "    yield function()\n"),
    ("what held itself up", "program.py", "    loop(Child())\n", ""),
    ("another item", "program.py", '"b": loop', '"b": helper'),
    ("a function more", "program.py", "def passing", "def added():\n    main()\n\n\ndef passing"),
    ("a base less", "library.py", "class Child(Base)", "class Child"),
    (
        "an attribute that was never stored",
        "program.py",
        "    decorated(thing)",
        "    thing.extra = main\n    thing.extra()",
    ),
    ("a syntax error", "program.py", "    decorated(thing)", "    decorated(thing"),
    ("longer than what is followed for each call", "library.py", "    def inner", "    x = 1\n" * 30 + "    def inner"),
]


@pytest.mark.parametrize(("path", "before", "after"), [one[1:] for one in EDITS], ids=[one[0] for one in EDITS])
def test_an_edit_and_its_undoing_link_as_from_the_beginning(path: str, before: str, after: str) -> None:
    workspace = Workspace({"library.py": LIBRARY, "program.py": PROGRAM})
    at_first = workspace.linker.links()
    workspace.edit(path, before, after)
    workspace.check()
    workspace.put(path, {"library.py": LIBRARY, "program.py": PROGRAM}[path])
    workspace.check()
    assert workspace.linker.links() == at_first


def test_edits_upon_edits_link_as_from_the_beginning() -> None:
    workspace = Workspace({"library.py": LIBRARY, "program.py": PROGRAM})
    for _, path, before, after in EDITS:
        if before in workspace.sources[path]:
            workspace.edit(path, before, after)
            workspace.check()


@pytest.mark.parametrize("name", [one[0] for one in EDITS[:11]])
def test_an_edit_inside_functions_links_only_what_it_reaches(name: str) -> None:
    _, path, before, after = next(one for one in EDITS if one[0] == name)
    workspace = Workspace({"library.py": LIBRARY, "program.py": PROGRAM, "other.py": "def alone():\n    alone()\n"})
    update = workspace.edit(path, before, after)
    assert not update.full
    assert update.exact
    assert "other.py" not in update.links


def test_only_files_whose_links_changed_are_named() -> None:
    workspace = Workspace({"library.py": LIBRARY, "program.py": PROGRAM})
    assert workspace.edit("library.py", "        return 1\n", "        return 2\n").links == {}
    moved = workspace.edit("library.py", "    def step(self):\n", "\n    def step(self):\n").links
    assert set(moved) == {"library.py"}


def test_a_file_that_is_gone_is_linked_without() -> None:
    workspace = Workspace({"library.py": LIBRARY, "program.py": PROGRAM})
    del workspace.facts["program.py"]
    workspace.linker.remove("program.py")
    workspace.check()


def test_an_edit_that_makes_the_program_large_follows_fewer_values(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = "".join(f"class C{n}:\n    def run(self):\n        return {n}\n\n\n" for n in range(12))
    use = "def use(one):\n    return one.run()\n\n\ndef main():\n    pass\n" + "".join(
        f"    use(C{n}())\n" for n in range(12)
    )
    workspace = Workspace({"program.py": classes + use})
    nodes = Program(workspace.facts).nodes
    monkeypatch.setattr(flowing, "MAX_VALUES", ((nodes + 20, 32), (1 << 62, 6)))

    def runs() -> int:
        return sum(edge.kind == "call" and edge.confidence == "likely" for edge in workspace.linker.links().edges)

    workspace.linker.relink()
    assert runs() == 12
    update = workspace.edit("program.py", "    pass\n", "    print(use(C0()))\n" * 12)
    assert update.full
    workspace.check()
    assert runs() == 6


@pytest.mark.parametrize("seed", range(3))
def test_random_edits_of_real_files_link_as_from_the_beginning(seed: int) -> None:
    """Where an update says that it is exact; after a full one always."""
    chance = random.Random(seed)
    paths = [path for folder in ("store", "profiles") for path in sorted((REAL / folder).glob("*.py"))]
    workspace = Workspace({path.relative_to(REAL.parent).as_posix(): path.read_text() for path in paths})
    partial = 0
    for _ in range(12):
        path = chance.choice(sorted(workspace.sources))
        update = workspace.put(path, _edited(workspace.sources[path], chance))
        partial += not update.full
        if not update.exact:
            workspace.linker.relink()
        workspace.check()
    assert partial, "every edit linked everything: nothing was tried"


def _edited(source: str, chance: random.Random) -> str:
    """A file with a line of a body removed, repeated, moved in, or with a name replaced, that still compiles."""
    lines = source.split("\n")
    inside = [at for at, line in enumerate(lines) if re.match(r" +\w", line)]
    words = re.findall(r"[A-Za-z_]\w+", source)
    for _ in range(100):
        at = chance.choice(inside) if inside else 0
        line = lines[at]
        indent = line[: len(line) - len(line.lstrip())]
        replacement = chance.choice(
            (
                [],
                [line, line],
                [indent + lines[chance.choice(inside)].strip() if inside else "", line],
                [indent + "held = sorted([1], key=lambda one: one.real)", line],
                [re.sub(r"[A-Za-z_]\w+", lambda found: chance.choice((found[0], chance.choice(words))), line)],
            )
        )
        changed = "\n".join(lines[:at] + replacement + lines[at + 1 :])
        try:
            compile(changed, "edited.py", "exec")
        except (SyntaxError, ValueError):
            continue
        return changed
    return source
