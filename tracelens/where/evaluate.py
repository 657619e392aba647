"""A condition's tree held against recorded calls: true, false, or not to be told."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from tracelens.where.parse import (
    BadCondition,
    Compared,
    Comparison,
    Constant,
    Function,
    Joined,
    Listed,
    Name,
    Negated,
    Node,
    parse,
)
from tracelens.where.recorded import Datum, datum
from tracelens_indexer.store.answers import CaptureRecord

RETURNED = "returned"
_ABOUT = ("request", "route", "task", "user", "tags", "kind")
"""What a program may have said about its work; "" where it said nothing."""
_OWN = ("return", "dur", "outcome", "test", *_ABOUT)
_ABSENT = Datum("", False)


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition, ready to be held against the calls of one unit."""

    text: str
    tree: Node

    def __call__(self, call: CaptureRecord) -> bool | None:
        """Whether the call matches; None when what was recorded does not tell."""
        return _truth(self.tree, call)


def compile_condition(text: str, parameters: Collection[str]) -> Matcher:
    """A condition on calls with these parameters. Raises BadCondition, also for a name that is none of them."""
    tree = parse(text)
    _check(tree, text, set(parameters))
    return Matcher(text, tree)


def _check(node: Node, text: str, parameters: set[str]) -> None:
    match node:
        case Name(name, position):
            if name not in parameters and name not in _OWN:
                known = ", ".join([*sorted(parameters)[:12], *_OWN])
                raise BadCondition(
                    f"{name!r} is neither a parameter nor one of ours; there are: {known}", text, position
                )
        case Function(_, of):
            _check(of, text, parameters)
        case Listed(items) | Joined(_, items):
            for item in items:
                _check(item, text, parameters)
        case Negated(part):
            _check(part, text, parameters)
        case Compared(first, rest):
            sides = (first, *(side for _, side in rest))
            named = any(_names_types(side, parameters) for side in sides)
            for side in sides:
                for part in side.items if isinstance(side, Listed) else (side,):
                    if not (named and isinstance(part, Name)):
                        _check(part, text, parameters)


def _names_types(node: Node, parameters: Collection[str] = ()) -> bool:
    """Whether a bare name beside this operand is the name of a type."""
    return (isinstance(node, Function) and node.function == "type") or (
        isinstance(node, Name) and node.name == "outcome" and "outcome" not in parameters
    )


def _truth(node: Node, call: CaptureRecord) -> bool | None:
    match node:
        case Joined(how, parts):
            decisive = how == "or"
            told = [_truth(part, call) for part in parts]
            if decisive in told:
                return decisive
            return None if None in told else not decisive
        case Negated(part):
            inside = _truth(part, call)
            return None if inside is None else not inside
        case Compared(first, rest):
            return _chain(first, rest, call)
        case Listed(items):
            return bool(items)
        case _:
            found = _datum(node, call)
            if not found.known:
                return None
            return bool(found.size) if found.size is not None else bool(found.value)


def _chain(first: Node, rest: tuple[tuple[Comparison, Node], ...], call: CaptureRecord) -> bool | None:
    sides = (first, *(side for _, side in rest))
    names = any(_names_types(side, {name for name, _, _ in call.arguments}) for side in sides)
    left, told = first, []
    for operator, right in rest:
        told.append(_compare(operator, left, right, call, names))
        left = right
    if False in told:
        return False
    return None if None in told else True


def _compare(operator: Comparison, left: Node, right: Node, call: CaptureRecord, names: bool) -> bool | None:
    if operator in ("in", "not in"):
        inside = _inside(left, right, call, names)
        return inside if operator == "in" or inside is None else not inside
    a, b = _operand(left, call, names), _operand(right, call, names)
    if not a.known or not b.known:
        return _differ_by_type(operator, a, b)
    if operator in ("==", "!="):
        same = _same(a, b, names)
        return same if operator == "==" else not same
    x, y = _number(a), _number(b)
    if x is not None and y is not None:
        return _ordered(operator, x, y)
    if isinstance(a.value, str) and isinstance(b.value, str):
        return _ordered(operator, a.value, b.value)
    return False


def _differ_by_type(operator: str, a: Datum, b: Datum) -> bool | None:
    """A value that was cut or redacted is still known not to be None."""
    for value, other in ((a, b), (b, a)):
        if not value.known and value.type and other.known and other.value is None:
            return {"==": False, "!=": True}.get(operator)
    return None


def _ordered(operator: str, a: float | str, b: float | str) -> bool:
    orders: dict[str, Callable[[], bool]] = {
        "<": lambda: a < b,  # type: ignore[operator]  # both numbers or both texts
        "<=": lambda: a <= b,  # type: ignore[operator]
        ">": lambda: a > b,  # type: ignore[operator]
        ">=": lambda: a >= b,  # type: ignore[operator]
    }
    return orders[operator]()


def _same(a: Datum, b: Datum, names: bool) -> bool:
    x, y = _number(a), _number(b)
    if x is not None and y is not None:
        return x == y
    if names and isinstance(a.value, str) and isinstance(b.value, str):
        return _same_type(a.value, b.value)
    return type(a.value) is type(b.value) and a.value == b.value


def _same_type(a: str, b: str) -> bool:
    """ "shop.models.OrderError" is also called "OrderError"."""
    return a == b or a.endswith("." + b) or b.endswith("." + a)


def _number(value: Datum) -> float | int | None:
    """A number to compare with; of a truth value 0 or 1."""
    return value.value if isinstance(value.value, (int, float)) else None


def _inside(left: Node, right: Node, call: CaptureRecord, names: bool) -> bool | None:
    if isinstance(right, Listed):
        told = [_compare("==", left, item, call, names) for item in right.items]
        if True in told:
            return True
        return None if None in told else False
    part, whole = _operand(left, call, names), _operand(right, call, names)
    if not whole.known or not part.known:
        return None
    if isinstance(part.value, str) and isinstance(whole.value, str):
        return part.value in whole.value
    return False


def _operand(node: Node, call: CaptureRecord, names: bool) -> Datum:
    if names and isinstance(node, Name) and not _is_value(node.name, call):
        return Datum("str", True, node.name)
    if names and isinstance(node, Constant) and node.value is None:
        return Datum("str", True, "NoneType")
    return _datum(node, call)


def _is_value(name: str, call: CaptureRecord) -> bool:
    return name in _OWN or any(name == argument for argument, _, _ in call.arguments)


def _datum(node: Node, call: CaptureRecord) -> Datum:
    match node:
        case Constant(value):
            return Datum(type(value).__name__, True, value, len(value) if isinstance(value, str) else None)
        case Name(name):
            return _named(name, call)
        case Function("type", of):
            found = _datum(of, call)
            return Datum("str", True, found.type) if found.type else _ABSENT
        case Function("len", of):
            size = _datum(of, call).size
            return _ABSENT if size is None else Datum("int", True, size)
        case _:
            told = _truth(node, call)
            return _ABSENT if told is None else Datum("bool", True, told)


def _named(name: str, call: CaptureRecord) -> Datum:
    for argument, type_, text in call.arguments:
        if argument == name:
            return datum(type_, text)
    match name:
        case "return":
            return datum(*call.result) if call.result else _ABSENT
        case "dur":
            return Datum("float", True, call.duration_ns / 1e9) if call.duration_ns >= 0 else _ABSENT
        case "outcome":
            return Datum("str", True, call.outcome or RETURNED)
        case "test":
            return Datum("str", True, call.test, len(call.test))
        case _ if name in _ABOUT:
            text = next((text for key, text in call.about if key == name), "")
            return Datum("str", True, text, len(text))
        case _:
            return _ABSENT
