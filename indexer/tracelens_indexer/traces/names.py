"""Units by what frameworks and recorders call them, for spans that say no file and no line.

- a dotted name (`shop.service.OrderService.process`) is a module of the workspace and a unit in it; without a module
  (`OrderService.process`) it must be the only unit of that scope in the workspace;
- a route (`POST /orders/{id}`) is a handler's decorator (`@app.post("/orders/{id}")`, `@bp.route("/orders/<int:id>")`,
  the router's own prefix included where it is written in the same file) or an entry of Django's URL patterns. A
  decorator's path may be the end of the route: routers are mounted under prefixes that other files give;
- handlers that a call registers (`app.add_url_rule`, `router.add_api_route`, Starlette's `Route`, aiohttp's `add_get`,
  the view sets of Django REST framework) are found by that call;
- a task is the name given to its decorator, else a dotted name;
- a bare function name is the `name=` of a decorator, else the only unit of that name.

More than one candidate is ambiguous, which is reported and never guessed. Sources are only read, never imported.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tracelens_indexer.traces.paths import Ambiguous, External
from tracelens_indexer.traces.records import Frame

Place = tuple[str, str]
"""(indexed path, scope of the unit)"""


class NamedUnit(Protocol):
    """What a name is looked up in; the store's UnitRecord is one."""

    @property
    def path(self) -> str: ...
    @property
    def module(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def decorators(self) -> tuple[str, ...]: ...


NO_NAME = External("a name that is not in this workspace")
NO_ROUTE = External("a route without a handler in this workspace")
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "WEBSOCKET"))
_ROUTE = re.compile(
    r"(?:(\w+)\.|[\w.]+\.)?(get|post|put|patch|delete|head|options|websocket|route|api_route)\(\s*"
    r"(?:(?:path|rule|uri)\s*=\s*)?[rR]?(['\"])([^'\"\n]{0,500})\3",
)
_IN_METHODS = re.compile(r"methods\s*=\s*[\[({]([^\])}]{0,200})[\])}]")
_ROUTER = re.compile(
    r"^[ \t]*(\w+)(?:\s*:[^=\n]{1,100})?\s*=\s*[\w.]*(?:Router|Blueprint|FastAPI|Flask|API)\(([^)]{0,1000})",
    re.MULTILINE,
)
_PREFIX = re.compile(r"prefix\s*=\s*['\"]([^'\"\n]{0,200})['\"]")
_DJANGO = re.compile(r"\b(?:re_)?path\(\s*[rR]?['\"]([^'\"\n]{0,500})['\"]\s*,\s*([\w.]{1,300})\s*(\()?")
_REGISTERED = re.compile(
    r"(?:\b(?P<verb>add_(?:url_rule|api_route|route|api_websocket_route|get|post|put|patch|delete)"
    r"|web\.(?:get|post|put|patch|delete|view)|Route|WebSocketRoute))"
    r"\(\s*(?:(?:path|rule|route)\s*=\s*)?[rR]?(['\"])(?P<route>[^'\"\n]{0,500})\2\s*,"
    r"\s*(?:endpoint\s*=\s*['\"][^'\"\n]{0,200}['\"]\s*,\s*|['\"][^'\"\n]{0,200}['\"]\s*,\s*)?"
    r"(?:(?:view_func|endpoint|handler)\s*=\s*)?(?P<handler>[A-Za-z_][\w.]{0,300})(?P<rest>[^\n]{0,300})"
)
"""Handlers that are registered by a call: Flask, FastAPI, Starlette, aiohttp."""
_VIEW_SET = re.compile(r"\.register\(\s*(?:prefix\s*=\s*)?[rR]?['\"]([^'\"\n]{0,300})['\"]\s*,\s*([\w.]{1,300})")
"""`router.register("orders", OrderViewSet)` of Django REST framework."""
_VIEW_SET_ACTIONS = {
    False: {"GET": "list", "POST": "create"},
    True: {"GET": "retrieve", "PUT": "update", "PATCH": "partial_update", "DELETE": "destroy"},
}
"""By whether the route names one object."""
_INCLUDE = re.compile(r"\bpath\(\s*['\"]([^'\"\n]{0,500})['\"]\s*,\s*include\(\s*\(?\s*['\"]([\w.]{1,300})['\"]")
_GIVEN_NAME = re.compile(r"\bname\s*=\s*['\"]([^'\"\n]{1,200})['\"]|^[\w.]+\(\s*['\"]([^'\"\n]{1,200})['\"]")
_PARAMETER = re.compile(r"\{[^}]*\}|<[^>]*>|\(\?P<\w+>[^)]*\)|^:\w+$")
_MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class _Handler:
    segments: tuple[str, ...]
    methods: frozenset[str]
    """Empty: any."""
    place: Place


class Names:
    """Finds places by name; what it needs of the workspace is read when it is first asked."""

    def __init__(
        self,
        modules: Mapping[str, str],
        called: Callable[[str], Sequence[NamedUnit]],
        decorated: Callable[[], Iterable[NamedUnit]],
        source: Callable[[str], str],
        now: Callable[[str], str],
    ) -> None:
        """`modules`: path to module. `called`: the units of a last name. `source`: the text of an indexed file as it
        was when the trace was made, which may be asked of git; `now`: as it is."""
        self._paths: dict[str, list[str]] = defaultdict(list)
        for path, module in modules.items():
            self._paths[module].append(path)
        self._files = tuple(modules)
        self._called = called
        self._decorated = decorated
        self._source = source
        self._now = now
        self._handlers: list[_Handler] | None = None
        self._given: dict[str, set[Place]] | None = None

    def find(self, frame: Frame) -> Place | External | Ambiguous:
        match frame.kind:
            case "route":
                return self._route(frame.name)
            case "task":
                return self._one(self._by_given_name(frame.name)) or self._dotted(frame.name, "")
            case "function":
                return self._one(self._by_given_name(frame.name)) or self._bare(frame.name)
            case _:
                return self._dotted(frame.name, frame.module)

    def has_module(self, module: str) -> bool:
        return module in self._paths

    def test(self, name: str) -> str:
        """The pytest id of "tests.test_shop.TestCart.test_total" where it is a function of the workspace, else `name`.
        Test modules are often imported without the folder they are in."""
        found = self._in_modules(name)
        if found is None:
            places = {
                (unit.path, unit.scope)
                for unit in self._called(name.rpartition(".")[2])
                if f".{unit.module}.{unit.scope}".endswith(f".{name}")
            }
            found = self._one(places)
        return f"{found[0]}::{found[1].replace('.', '::')}" if isinstance(found, tuple) else name

    # -- names ---------------------------------------------------------------------------------------------------

    def _dotted(self, name: str, module: str) -> Place | External | Ambiguous:
        if module and (found := self._in_modules(f"{module}.{name}")):
            return found
        if module in self._paths:
            # The module is ours; that the unit is not there now says nothing of what was there then.
            return self._one({(path, name) for path in self._paths[module]}) or NO_NAME
        if "." not in name:
            return NO_NAME
        if found := self._in_modules(name):
            return found
        return (
            self._one({(u.path, u.scope) for u in self._called(name.rpartition(".")[2]) if u.scope == name}) or NO_NAME
        )

    def _in_modules(self, dotted: str) -> Place | Ambiguous | None:
        """A unit of a module of the workspace by its full name."""
        parts = dotted.split(".")[:_MAX_DEPTH]
        called = self._called(parts[-1])
        for end in range(len(parts) - 1, 0, -1):
            paths = self._paths.get(".".join(parts[:end]), ())
            scope = ".".join(parts[end:])
            if found := self._one(
                {(unit.path, scope) for unit in called if unit.scope == scope and unit.path in paths}
            ):
                return found
        return None

    def _bare(self, name: str) -> Place | External | Ambiguous:
        found = {(unit.path, unit.scope) for unit in self._called(name) if unit.kind in ("function", "method", "class")}
        return self._one(found) or NO_NAME

    def _by_given_name(self, name: str) -> set[Place]:
        if self._given is None:
            self._given = defaultdict(set)
            for unit in self._decorated():
                for decorator in unit.decorators:
                    for match in _GIVEN_NAME.finditer(decorator[:2_000]):
                        self._given[match[1] or match[2]].add((unit.path, unit.scope))
        return self._given.get(name, set())

    @staticmethod
    def _one(found: set[Place]) -> Place | Ambiguous | None:
        if len(found) > 1:
            shown = ", ".join(f"{path}:{scope}" for path, scope in sorted(found)[:3])
            return Ambiguous(f"could be {shown}{', …' if len(found) > 3 else ''}")
        return next(iter(found), None)

    # -- routes --------------------------------------------------------------------------------------------------

    def _route(self, name: str) -> Place | External | Ambiguous:
        method, _, rest = name.partition(" ")
        if method not in _METHODS:
            method, rest = "", name
        wanted = _segments(rest)
        best, found = 0, set[Place]()
        for handler in self._all_handlers():
            answered = not method or not handler.methods or method in handler.methods
            if not answered and not (method == "HEAD" and "GET" in handler.methods):
                continue
            if handler.segments == wanted:
                rank = _MAX_DEPTH + 1
            elif handler.segments and wanted[-len(handler.segments) :] == handler.segments:
                rank = len(handler.segments)
            else:
                continue
            place = self._method_of(handler.place, method)
            if rank > best:
                best, found = rank, {place}
            elif rank == best:
                found.add(place)
        return self._one(found) or NO_ROUTE

    def _method_of(self, place: Place, method: str) -> Place:
        """The method of a class-based view; of a function, itself."""
        if not method:
            return place
        return self._inside(place, method.lower())

    def _all_handlers(self) -> list[_Handler]:
        if self._handlers is None:
            self._handlers = [
                *self._decorated_handlers(),
                *self._django_handlers(),
                *self._registered_handlers(),
            ]
        return self._handlers

    def _decorated_handlers(self) -> Iterable[_Handler]:
        prefixes: dict[str, dict[str, str]] = {}
        for unit in self._decorated():
            for decorator in unit.decorators:
                match = _ROUTE.match(decorator[:2_000])
                if match is None:
                    continue
                if unit.path not in prefixes:
                    prefixes[unit.path] = {
                        router[1]: given[1]
                        for router in _ROUTER.finditer(self._source(unit.path))
                        if (given := _PREFIX.search(router[2]))
                    }
                prefix = prefixes[unit.path].get(match[1] or "", "")
                yield _Handler(
                    _segments(f"{prefix}/{match[4]}"), _methods(match[2], decorator), (unit.path, unit.scope)
                )

    def _django_handlers(self) -> Iterable[_Handler]:
        patterns = [path for path in self._files if path.rpartition("/")[2] == "urls.py" or "/urls/" in path]
        sources = {path: self._source(path) for path in patterns}
        included = {
            module: prefix for source in sources.values() for prefix, module in _INCLUDE.findall(source) if prefix
        }
        by_path = {path: module for module, paths in self._paths.items() for path in paths}
        for path, source in sources.items():
            for match in _DJANGO.finditer(source):
                name = match[2].removesuffix(".as_view")
                if name.rpartition(".")[2] == "include":
                    continue
                # An empty pattern is the end of every route: only with the prefix that it is included under.
                route = match[1] if match[1] not in ("", "^$") else included.get(by_path.get(path, ""), "")
                for place in self._views(name, path):
                    yield _Handler(_segments(route), frozenset(), place)
            for prefix, name in _VIEW_SET.findall(source):
                for place in self._views(name, path):
                    for one, actions in _VIEW_SET_ACTIONS.items():
                        segments = (*_segments(prefix), *(("{}",) if one else ()))
                        for method, action in actions.items():
                            yield _Handler(segments, frozenset((method,)), self._inside(place, action))

    def _registered_handlers(self) -> Iterable[_Handler]:
        for path in self._files:
            if not any(word in self._now(path) for word in ("add_", "Route(", "web.")):
                continue
            source = self._source(path)
            for match in _REGISTERED.finditer(source):
                verb = match["verb"].rpartition("_")[2].rpartition(".")[2].lower()
                methods = frozenset((verb.upper(),)) if verb.upper() in _METHODS else _methods("route", match["rest"])
                for place in self._views(match["handler"].removesuffix(".as_view"), path):
                    yield _Handler(_segments(match["route"]), methods, place)

    def _views(self, name: str, path: str) -> Iterable[Place]:
        """What a dotted name in the file at `path` may mean, those beside it first."""
        owner, _, last = name.rpartition(".")
        views = [
            unit
            for unit in self._called(last)
            if (unit.scope == last or unit.scope == name)
            and (not owner or unit.scope == name or unit.module.rpartition(".")[2] == owner.rpartition(".")[2])
        ]
        here = [unit for unit in views if unit.path == path and not owner]
        beside = [unit for unit in views if unit.path.rpartition("/")[0] == path.rpartition("/")[0]]
        return [(unit.path, unit.scope) for unit in here or beside or views]

    def _inside(self, place: Place, name: str) -> Place:
        """A unit of this name in a class; the class, where it inherits it."""
        scope = f"{place[1]}.{name}"
        own = any((unit.path, unit.scope) == (place[0], scope) for unit in self._called(name))
        return (place[0], scope) if own else place


def _methods(verb: str, decorator: str) -> frozenset[str]:
    if verb not in ("route", "api_route"):
        return frozenset((verb.upper(),))
    listed = _IN_METHODS.search(decorator)
    if listed is None:
        # Flask answers GET then; other frameworks' defaults differ.
        return frozenset()
    return frozenset(word.upper() for word in re.findall(r"\w+", listed[1]))


def _segments(path: str) -> tuple[str, ...]:
    """The parts of a route, with every parameter the same: /orders/<int:id>/ and orders/{order_id} are equal."""
    path = path.strip().removeprefix("^").removesuffix("$").replace("/^", "/").replace("$/", "/")
    # A Django pattern may hold / and <> inside a group.
    path = re.sub(r"\(\?P<\w+>[^)]*\)", "{}", path)
    parts = [part for part in path.split("/") if part]
    return tuple(_PARAMETER.sub("{}", part) for part in parts[:_MAX_DEPTH])
