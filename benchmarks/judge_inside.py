"""Compares a repaired program with the correct one on random inputs. Runs in the sandbox: see fix.py."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import sys
from copy import deepcopy
from functools import partial
from typing import Any


def main() -> None:
    job = json.loads(sys.stdin.read())
    answer = int(sys.argv[1])
    sys.path.insert(0, job["folder"])
    signal.signal(signal.SIGVTALRM, _late)
    said: dict[str, Any]
    try:
        said = _quixbugs(job) if job["suite"] == "quixbugs" else _functions(job)
    except Exception as error:
        said = {"same": False, "why": f"{type(error).__name__}: {error}", "inputs": 0}
    os.write(answer, json.dumps(said).encode())


class _Late(BaseException):
    pass


def _late(number: int, frame: Any) -> None:
    raise _Late


def _load(name: str, text: str) -> Any:
    spec = importlib.util.spec_from_loader(name, loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(text, name, "exec"), module.__dict__)
    return module


def _called(function: Any, arguments: Any, normalise: Any) -> str:
    signal.setitimer(signal.ITIMER_VIRTUAL, 2.0)
    try:
        arguments = deepcopy(arguments)
        return "=" + repr(normalise(function(*arguments), arguments))
    except _Late:
        return "late"
    except Exception as error:
        return f"!{type(error).__name__}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _quixbugs(job: dict[str, Any]) -> dict[str, Any]:
    import quix_inputs

    name = job["name"]
    right = getattr(_load("right", job["right"]), name)
    made = getattr(_load("made", job["made"]), name)
    compared = 0
    for seed in range(job["inputs"] * 4):
        arguments = quix_inputs.GENERATORS[name](random.Random(seed))
        expected = _called(right, arguments, lambda result, given: quix_inputs.normalise(name, result, given))
        if expected[0] != "=":
            continue  # not a valid input after all
        compared += 1
        got = _called(made, arguments, lambda result, given: quix_inputs.normalise(name, result, given))
        if got != expected:
            return {"same": False, "why": f"{expected[:80]} became {got[:80]}", "inputs": compared}
        if compared >= job["inputs"]:
            break
    return {"same": True, "why": "", "inputs": compared}


def _functions(job: dict[str, Any]) -> dict[str, Any]:
    """HumanEvalFix: inputs that its own tests give, and variations of them."""
    import search_inputs

    right_module, made_module = _load("right", job["right"]), _load("made", job["made"])
    right, made = getattr(right_module, job["name"]), getattr(made_module, job["name"])
    seen: list[Any] = []

    def spy(*arguments: Any, **keywords: Any) -> Any:
        seen.append((deepcopy(list(arguments)), deepcopy(keywords)))
        return right(*deepcopy(arguments), **keywords)

    test = _load("test", job["test_setup"] + "\n" + job["test"])
    # The tests name the function that they are given, or, in some, the function itself.
    test.__dict__.update({k: v for k, v in right_module.__dict__.items() if not k.startswith("__")})
    test.check(spy)
    compared = 0
    for positional, keywords in search_inputs.like(seen, job["inputs"]):
        expected = _called(partial(right, **keywords), positional, _plain)
        if expected[0] != "=":
            continue
        compared += 1
        got = _called(partial(made, **keywords), positional, _plain)
        if got != expected:
            return {"same": False, "why": "", "inputs": compared}
    return {"same": True, "why": "", "inputs": compared}


def _plain(result: Any, arguments: Any) -> Any:
    import search_inputs

    return search_inputs.text_of(search_inputs.settled(result))


if __name__ == "__main__":
    main()
