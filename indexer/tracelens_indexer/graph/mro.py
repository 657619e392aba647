"""The order in which Python looks a name up along a class's bases: C3."""

from __future__ import annotations


def merge(orders: list[tuple[int | str, ...]], direct: list[int | str]) -> list[int | str]:
    """Merge the orders of the bases; where Python would refuse, what is left keeps its order without repeats."""
    pending = [list(order) for order in orders if order]
    if direct:
        pending.append(list(direct))
    result: list[int | str] = []
    while pending:
        for order in pending:
            head = order[0]
            # A reason stands for some class outside, not for one class: it never forbids an order.
            if isinstance(head, str) or not any(head in other[1:] for other in pending):
                break
        else:
            rest = [one for order in pending for one in order]
            return list(dict.fromkeys([*result, *rest]))
        result.append(head)
        pending = [order[1:] if order[0] == head else order for order in pending]
        pending = [order for order in pending if order]
    return list(dict.fromkeys(result))
