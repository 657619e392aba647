"""Random valid inputs for the programs of QuixBugs, by their stated preconditions.

Each generator takes a `random.Random` and gives the positional arguments; `normalise` says what of a result counts.
"""

from __future__ import annotations

import random
import types
from collections.abc import Callable
from itertools import pairwise
from typing import Any

Arguments = tuple[Any, ...]


class Node:
    """As the suite's own node.py, so that both versions can be given the same graph."""

    def __init__(self, value: Any = None, successor: Any = None, successors: Any = None) -> None:
        self.value = value
        self.successor = successor
        self.successors = [] if successors is None else successors
        self.incoming_nodes: list[Any] = []
        self.outgoing_nodes: list[Any] = []


def _ints(r: random.Random, most: int = 9, low: int = -20, high: int = 20) -> list[int]:
    return [r.randint(low, high) for _ in range(r.randint(0, most))]


def _distinct(r: random.Random, least: int = 0, most: int = 9) -> list[int]:
    return r.sample(range(-30, 31), r.randint(least, most))


def _word(r: random.Random, most: int = 6, letters: str = "abc") -> str:
    return "".join(r.choice(letters) for _ in range(r.randint(0, most)))


def _graph(r: random.Random) -> Arguments:
    nodes = [Node(str(one)) for one in range(r.randint(1, 7))]
    for node in nodes:
        node.successors = r.sample(nodes, r.randint(0, min(3, len(nodes))))
    return r.choice(nodes), r.choice(nodes)


def _chain(r: random.Random, cycle: bool) -> Arguments:
    nodes = [Node(str(one)) for one in range(r.randint(1, 8))]
    for node, following in pairwise(nodes):
        node.successor = following
    if cycle and r.random() < 0.5:
        nodes[-1].successor = r.choice(nodes)
    return (nodes[0],)


def _dag(r: random.Random) -> Arguments:
    nodes = [Node(str(one)) for one in range(r.randint(1, 7))]
    for at, node in enumerate(nodes):
        for following in nodes[at + 1 :]:
            if r.random() < 0.35:
                node.outgoing_nodes.append(following)
                following.incoming_nodes.append(node)
    r.shuffle(nodes)
    return (nodes,)


def _flatten(r: random.Random, depth: int = 0) -> list[Any]:
    return [
        _flatten(r, depth + 1) if depth < 3 and r.random() < 0.35 else r.randint(0, 9) for _ in range(r.randint(0, 4))
    ]


def _parens(r: random.Random) -> Arguments:
    text = ""
    depth = 0
    for _ in range(r.randint(0, 12)):
        if r.random() < 0.5 or (depth == 0 and r.random() < 0.85):
            text, depth = text + "(", depth + 1
        else:
            text, depth = text + ")", depth - 1
    return (text + ")" * max(0, depth) if r.random() < 0.6 else text,)


def _kheap(r: random.Random) -> Arguments:
    k = r.randint(0, 4)
    items = sorted(_distinct(r, 1, 9))
    for start in range(0, len(items), k + 1):
        part = items[start : start + k + 1]
        r.shuffle(part)
        items[start : start + k + 1] = part
    return items, min(k, len(items))


def _mst(r: random.Random) -> Arguments:
    count = r.randint(2, 7)
    weights = r.sample(range(1, 100), 40)
    edges = {}
    for node in range(1, count):
        edges[r.randrange(node), node] = weights.pop()
    for _ in range(r.randint(0, 5)):
        a, b = sorted(r.sample(range(count), 2))
        edges.setdefault((a, b), weights.pop())
    return (edges,)


def _palindrome(r: random.Random) -> Arguments:
    half = [r.choice([0, 1, 5, 9, 9]) for _ in range(r.randint(1, 4))]
    half[0] = half[0] or r.choice([1, 9])
    return (half + half[::-1] if r.random() < 0.5 else half + half[-2::-1],)


def _permutation(r: random.Random) -> Arguments:
    while True:
        items = _distinct(r, 2, 7)
        if items != sorted(items, reverse=True):
            return (items,)


def _rpn(r: random.Random) -> Arguments:
    tokens: list[Any] = [float(r.randint(1, 20))]
    depth = 1
    for _ in range(r.randint(0, 6)):
        tokens.append(float(r.randint(1, 20)))
        depth += 1
        while depth > 1 and r.random() < 0.6:
            tokens.append(r.choice("+-*/"))
            depth -= 1
    tokens += [r.choice("+-*") for _ in range(depth - 1)]
    return (tokens,)


def _infix(r: random.Random) -> Arguments:
    tokens: list[Any] = [r.randint(0, 50)]
    for _ in range(r.randint(0, 6)):
        tokens += [r.choice("+-*/"), r.randint(0, 50)]
    return (tokens,)


def _lengths(r: random.Random) -> Arguments:
    count = r.randint(1, 5)
    pairs = [(a, b) for a in range(count) for b in range(count) if a != b]
    return count, {one: r.randint(1, 20) for one in pairs if r.random() < 0.5}


def _paths(r: random.Random) -> Arguments:
    names = "ABCDEF"[: r.randint(2, 6)]
    edges = {}
    for a_at, a in enumerate(names):
        for b_at, b in enumerate(names):
            if a != b and r.random() < 0.45:
                # Backward edges are positive and heavy, so that no cycle is negative.
                edges[a, b] = r.randint(-3, 9) if a_at < b_at else r.randint(20, 30)
    for first, second in pairwise(names):
        edges.setdefault((first, second), r.randint(1, 9))
    return names[0], edges


def _path_length(r: random.Random) -> Arguments:
    nodes = [Node(str(one)) for one in range(r.randint(1, 6))]
    lengths = {}
    for node in nodes:
        for other in nodes:
            if node is not other and r.random() < 0.45:
                node.successors.append(other)
                lengths[node, other] = r.randint(1, 20)
    return lengths, r.choice(nodes), r.choice(nodes)


def _search(r: random.Random) -> Arguments:
    items = sorted(_ints(r, 9, 0, 12))
    return items, r.randint(-1, 13)


def _wrap(r: random.Random) -> Arguments:
    words = ["a" * r.randint(1, 7) for _ in range(r.randint(1, 10))]
    # With columns narrower than a word the correct program itself does not end on some texts.
    return " ".join(words), r.randint(8, 20)


def _kth(r: random.Random) -> Arguments:
    items = _ints(r, 9) or [1]
    return items, r.randrange(len(items))


def _buckets(r: random.Random) -> Arguments:
    k = r.randint(1, 8)
    return [r.randrange(k) for _ in range(r.randint(0, 9))], k


GENERATORS: dict[str, Callable[[random.Random], Arguments]] = {
    "bitcount": lambda r: (r.randint(0, 10_000),),
    "breadth_first_search": _graph,
    "bucketsort": _buckets,
    "depth_first_search": _graph,
    "detect_cycle": lambda r: _chain(r, True),
    "find_first_in_sorted": _search,
    "find_in_sorted": lambda r: (sorted(set(_ints(r, 9, 0, 12))), r.randint(-1, 13)),
    "flatten": lambda r: (_flatten(r),),
    "gcd": lambda r: (r.randint(0, 200), r.randint(0, 200)),
    "get_factors": lambda r: (r.randint(1, 2000),),
    "hanoi": lambda r: (r.randint(0, 6), *r.sample([1, 2, 3], 2)),
    "is_valid_parenthesization": _parens,
    "kheapsort": _kheap,
    "knapsack": lambda r: (r.randint(0, 60), [(r.randint(1, 25), r.randint(1, 30)) for _ in range(r.randint(0, 6))]),
    "kth": _kth,
    "lcs_length": lambda r: (_word(r, 8), _word(r, 8)),
    "levenshtein": lambda r: (_word(r, 5), _word(r, 5)),
    "lis": lambda r: (_distinct(r),),
    "longest_common_subsequence": lambda r: (_word(r), _word(r)),
    "max_sublist_sum": lambda r: (_ints(r),),
    "mergesort": lambda r: (_ints(r),),
    "minimum_spanning_tree": _mst,
    "next_palindrome": _palindrome,
    "next_permutation": _permutation,
    "pascal": lambda r: (r.randint(1, 9),),
    "possible_change": lambda r: (sorted(r.sample(range(1, 20), r.randint(0, 4))), r.randint(0, 40)),
    "powerset": lambda r: (_distinct(r, 0, 6),),
    "quicksort": lambda r: (_ints(r, 9, -5, 5),),
    "reverse_linked_list": lambda r: _chain(r, False),
    "rpn_eval": _rpn,
    "shortest_path_length": _path_length,
    "shortest_path_lengths": _lengths,
    "shortest_paths": _paths,
    "shunting_yard": _infix,
    "sieve": lambda r: (r.randint(1, 120),),
    "sqrt": lambda r: (r.uniform(1, 500), r.choice([0.5, 0.1, 0.01, 0.001])),
    "subsequences": lambda r: (r.randint(0, 4), r.randint(3, 8), r.randint(1, 4)),
    "to_base": lambda r: (r.randint(1, 100_000), r.randint(2, 36)),
    "topological_ordering": _dag,
    "wrap": _wrap,
}


def normalise(name: str, result: Any, arguments: Arguments) -> Any:
    """What of a result counts: where the task allows several answers, the property that it asks for."""
    if isinstance(result, types.GeneratorType) or hasattr(result, "__next__"):
        result = [one for _, one in zip(range(10_000), result, strict=False)]
    if name == "powerset":
        return sorted(sorted(one) for one in result)
    if name == "find_in_sorted":
        return result if result == -1 else arguments[0][result]
    if name == "longest_common_subsequence":
        return len(result)
    if name == "topological_ordering":
        order = [one.value for one in result]
        good = all(
            order.index(before.value) < order.index(node.value) for node in result for before in node.incoming_nodes
        )
        return sorted(order), good
    if name == "reverse_linked_list":
        chain = []
        while result is not None and len(chain) < 100:
            chain.append(result.value)
            result = result.successor
        return chain
    if name == "sqrt":
        return abs(result - arguments[0] ** 0.5) <= arguments[1]
    if name == "wrap":
        return result
    if isinstance(result, dict):
        return sorted((repr(key), value) for key, value in result.items())
    if isinstance(result, float):
        return round(result, 9)
    return result
