"""The conversation with the search, and the forks that candidates run in.

Lines of JSON come in on standard input and go out on a descriptor of their own, each with the nonce of the session, so
that nothing that sandboxed code prints can be taken for an answer. This process imports the user's modules and never
runs a check itself: each batch of candidates runs in a fork of it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
import types
from collections.abc import Callable
from typing import Any

from . import checks as checking
from . import inputs, instrument, recorded, watching

_WALL = 60.0
"""Seconds after which a fork that says nothing is ended."""
_FEW = 6
"""Candidates of a smaller part."""
_LEAST_WATCHED = 3
_FEW_ENDLESS = 8
"""Checks without an end that are watched where others fail plainly."""
_MORE_MEMORY = 512 << 20
_PROBE_SECONDS = 0.3


class Server:
    def __init__(self, answer: int) -> None:
        self.answer = answer
        self.nonce = ""
        self.checks: list[checking.Check] = []
        self.job: dict[str, Any] = {}
        self.functions: list[types.FunctionType] = []
        self.targets: dict[str, instrument.Target] = {}
        self.alone = False
        """Whether candidates disturb each other, so that each gets a fork of its own."""

    def main(self) -> None:
        self.job = job = json.loads(sys.stdin.readline())
        self.nonce = job["nonce"]
        os.set_inheritable(self.answer, False)
        sys.path[:] = job["sys_path"] + [one for one in sys.path if one and one not in job["sys_path"]]
        checking.prepare()
        instrument.install(self.wanted)
        problem = ""
        try:
            if job["oracle"]["kind"] == "pytest":
                problem = checking.with_pytest(job["oracle"]["arguments"], self.serve)
            elif job["oracle"]["kind"] == "recorded":
                self.serve(recorded.checks(job["oracle"]))
            else:
                module = _import(job["oracle"]["module"], job["oracle"]["path"])
                self.serve(checking.from_statements(job["oracle"], module))
        except BaseException as error:
            problem = f"{type(error).__name__}: {str(error)[:500]}"
        if problem:
            self.say({"problem": problem})
        os._exit(0)

    def wanted(self, path: str) -> bool:
        """Whether a file is the user's own and no test."""
        path = os.path.realpath(path)
        root = self.job["root"] + os.sep
        return path.startswith(root) and path[len(root) :] not in self.job["tests"] and not _is_test(path[len(root) :])

    def say(self, what: dict[str, Any]) -> None:
        data = json.dumps({"nonce": self.nonce, **what}).encode() + b"\n"
        while data:
            data = data[os.write(self.answer, data) :]

    def serve(self, found: list[checking.Check]) -> None:
        self.checks = found
        gc.collect()
        # What is frozen is not listed any more.
        self.functions = [one for one in gc.get_objects() if type(one) is types.FunctionType]
        gc.freeze()
        self.say({"ready": [one.name for one in found]})
        for line in sys.stdin:
            request = json.loads(line)
            before = _cpu()
            said = getattr(self, "do_" + request["do"])(request)
            self.say({**said, "cpu": _cpu() - before})

    def do_survey(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run the checks with the code as it is: how each ends, in how many steps, and what it runs through."""
        count = len(self.checks)
        said = self._forked(lambda tell: self._survey(request, tell), 60.0 + request["seconds"] * count)
        plain = {one["at"]: one for one in said if "kind" in one}
        for one in said:
            if "watched" in one:
                plain.get(one["watched"], {}).update(one)
        found = [plain.get(at, {"at": at, "kind": "out of fuel", "used": request["fuel"]}) for at in range(count)]
        return {"checks": found}

    def _survey(self, request: dict[str, Any], tell: Callable[[Any], None]) -> None:
        kinds = []
        slow: list[int] = []
        only = set(request.get("only", range(len(self.checks))))
        spent, left = 0.0, request.get("spend", float("inf"))
        for at, check in enumerate(self.checks):
            if spent > left and (checking.WRONG in kinds or checking.RAISED in kinds):
                kinds.append(checking.NOT_RUN)
                tell(self._ended(at, checking.Outcome(checking.NOT_RUN, 0, 0.0, None)))
                continue
            if at not in only:
                kinds.append(checking.SKIPPED)
                tell(self._ended(at, checking.Outcome(checking.SKIPPED, 0, 0.0, None)))
                continue
            outcome = checking.run(check, request["fuel"], request["seconds"])
            if outcome.kind == checking.OUT:
                slow.append(at)
            spent += outcome.spent
            kinds.append(outcome.kind)
            tell(self._ended(at, outcome))
        # Those that only take long: the first few get much more, the others if one of those came to an end.
        useless = 0
        for at in slow:
            if useless >= 2 or spent > left:
                break
            outcome = checking.run(self.checks[at], request["fuel"] * 10, request["seconds"] * 2)
            spent += outcome.spent
            useless += outcome.kind == checking.OUT
            kinds[at] = outcome.kind
            tell(self._ended(at, outcome))
        failing = [at for at, kind in enumerate(kinds) if kind in (checking.WRONG, checking.RAISED)]
        endless = [at for at, kind in enumerate(kinds) if kind == checking.OUT]
        failing += endless[: _FEW_ENDLESS if failing else None]
        passing = [at for at, kind in enumerate(kinds) if kind == checking.PASSED]
        most = request["watched"]
        looks: dict[types.CodeType, int] = {}
        begun = time.process_time()
        for number, at in [*enumerate(failing[:most]), *enumerate(passing[:most])]:
            # What is seen takes many times as long: half the time is for those that fail, and some are seen anyway.
            share = 0.25 if at in failing else 0.5
            if number >= _LEAST_WATCHED and time.process_time() - begun > left * share:
                continue
            watch = watching.Watch(self.wanted, request["events"], looks)
            sys.settrace(watch.trace)
            try:
                checking.run(self.checks[at], request["fuel"], request["seconds"] * 4)
            finally:
                sys.settrace(None)
            tell(
                {
                    "watched": at,
                    "lines": {path: sorted(lines) for path, lines in watch.lines.items()},
                    "types": [
                        [path, line, {name: sorted(kinds) for name, kinds in names.items()}]
                        for (path, line), names in watch.types.items()
                    ],
                    "attributes": watch.attributes,
                }
            )

    def _ended(self, at: int, outcome: checking.Outcome) -> dict[str, Any]:
        return {
            "at": at,
            "kind": outcome.kind,
            "used": outcome.used,
            "spent": outcome.spent,
            "words": outcome.words(),
            "digest": outcome.digest(),
            "crash": watching.crash_lines(outcome.error, self.wanted),
        }

    def do_try(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run candidates against the checks in the order given, each until one fails.

        Answers, for each: how ("passed", "failed", "out of fuel", "bad", "killed"), the number of checks that it
        passed, and what the one that failed said.
        """
        items = request["items"]
        results: list[list[Any] | None] = [None] * len(items)
        size = 1 if self.alone else request["batch"]
        for at in range(0, len(items), size):
            part = range(at, min(at + size, len(items)))
            if self._batch(request, part, results) and size > 1:
                # What one left behind changed what the next one met: once more, in smaller parts.
                for small in range(part.start, part.stop, _FEW):
                    few = range(small, min(small + _FEW, part.stop))
                    if self._batch(request, few, results):
                        for one in few:
                            self._batch(request, range(one, one + 1), results)
        return {"results": results}

    def _batch(self, request: dict[str, Any], part: range, results: list[list[Any] | None]) -> bool:
        waiting = list(part)
        while waiting:
            rest = list(waiting)
            said = self._forked(lambda tell, rest=rest: self._try(request, rest, tell), _WALL)  # type: ignore[misc]
            for one in said:
                if "disturbed" in one:
                    return bool(one["disturbed"])
                results[one["at"]] = one["result"]
                waiting.remove(one["at"])
            if waiting:  # the first that was not answered ended the process
                results[waiting.pop(0)] = ["killed", 0, ""]
        return False

    def _try(self, request: dict[str, Any], part: list[int], tell: Callable[[Any], None]) -> None:
        order, limits, seconds = request["order"], request["limits"], request["seconds"]
        for at in part:
            said, text = request["items"][at]
            target = self._target(said, request)
            try:
                made = target.compile(text)
            except (SyntaxError, ValueError, RecursionError):
                tell({"at": at, "result": ["bad", 0, ""]})
                continue
            target.use(made)
            result: list[Any] = ["passed", len(order), ""]
            for number, which in enumerate(order):
                outcome = checking.run(self.checks[which], limits[number], seconds[number])
                if outcome.kind not in (checking.PASSED, checking.SKIPPED):
                    kind = "out of fuel" if outcome.kind == checking.OUT else "failed"
                    result = [kind, number, outcome.digest()]
                    break
            target.use((target.original, None))
            tell({"at": at, "result": result})
        disturbed = False
        if len(part) > 1:
            for which, kind in request["canaries"]:
                disturbed = disturbed or checking.run(self.checks[which], request["fuel"], 1.0).kind != kind
        tell({"disturbed": disturbed})

    def _target(self, said: str, request: dict[str, Any]) -> instrument.Target:
        if said not in self.targets:
            self.targets[said] = instrument.Target(request["targets"][said], self.functions)
        return self.targets[said]

    def do_verify(self, request: dict[str, Any]) -> dict[str, Any]:
        """Whether the checks end as in the survey when run in another order, twice, in one process; which do not."""

        def again(tell: Callable[[Any], None]) -> None:
            for which, kind in [*request["order"], *request["order"]]:
                tell([which, checking.run(self.checks[which], request["fuel"], 1.0).kind == kind])

        said = self._forked(again, request["wall"])
        ended = len(said) == 2 * len(request["order"])
        others = sorted({which for which, same in said if not same})
        self.alone = bool(others) or not ended
        return {"same": not self.alone, "others": others if ended else None}

    def do_again(self, request: dict[str, Any]) -> dict[str, Any]:
        """How the checks end when they are run again, in their own order, each time in a fork with chance of its own.

        Answers a list of kinds for each time; a shorter one, when the time was over before all were run.
        """
        begun = _cpu()
        found: list[list[str]] = []
        while len(found) < request["least"] or (len(found) < request["most"] and _cpu() - begun < request["spend"]):

            def again(tell: Callable[[Any], None]) -> None:
                _with_other_chance()
                for check, skipped in zip(self.checks, request["skip"]):  # noqa: B905  (not in Python 3.9)
                    tell("" if skipped else checking.run(check, request["fuel"], request["seconds"]).kind)

            found.append(self._forked(again, request["wall"]))
        return {"kinds": found}

    def do_find(self, request: dict[str, Any]) -> dict[str, Any]:
        """Which of the targets exist here."""
        found = []
        for name in request["targets"]:
            try:
                self._target(name, request)
                found.append(name)
            except LookupError:
                continue
        return {"found": found}

    def do_confirm(self, request: dict[str, Any]) -> dict[str, Any]:
        """Each candidate alone, the checks asked for in that order: how each ends and in how many steps."""
        found = []
        for said, text in request["items"]:

            def confirm(tell: Callable[[Any], None], said: str = said, text: str = text) -> None:
                target = self._target(said, request)
                target.use(target.compile(text))
                _with_other_chance()
                for at in request["only"]:
                    outcome = checking.run(self.checks[at], request["limits"][at], request["seconds"])
                    tell([at, outcome.kind, outcome.used])

            found.append(self._forked(confirm, request["wall"]))
        return {"confirmed": found}

    def do_probe(self, request: dict[str, Any]) -> dict[str, Any]:
        """What each candidate does with inputs like those that the checks gave the function, as digests."""
        said = request["target"]

        def probe(tell: Callable[[Any], None]) -> None:
            target = self._target(said, request)
            seen = watching.Arguments(target.original, request["most"] // 3)
            for at in request["checks"]:
                if len(seen.found) >= seen.most:
                    break
                sys.settrace(seen.trace)
                try:
                    checking.run(self.checks[at], request["fuel"], 0.5)
                finally:
                    sys.settrace(None)
            made = inputs.like(seen.found, request["most"])
            for text in request["items"]:
                answers = self._forked(lambda inner, text=text: self._apply(target, text, made, request, inner), 20.0)  # type: ignore[misc]
                tell(answers + [["?", 0]] * (len(made) - len(answers)))

        return {"probed": self._forked(probe, request["wall"])}

    def _apply(
        self,
        target: instrument.Target,
        text: str,
        made: list[Any],
        request: dict[str, Any],
        tell: Callable[[Any], None],
    ) -> None:
        target.use(target.compile(text))
        function = target.functions[0]
        for positional, keywords in made:
            said = [""]

            def call(positional: Any = positional, keywords: Any = keywords, said: list[str] = said) -> None:
                result = inputs.settled(function(*positional, **keywords))
                said[0] = inputs.text_of(result) + "|" + inputs.text_of([*positional, keywords])

            outcome = checking.run(checking.Check("", call), request["fuel"], _PROBE_SECONDS)
            if outcome.kind == checking.OUT:
                tell(["out", outcome.used])
            elif outcome.error is not None:
                tell(["!" + type(outcome.error).__name__, outcome.used])
            else:
                tell([said[0] if len(said[0]) < 200 else str(hash(said[0])), outcome.used])

    def _forked(self, work: Callable[[Callable[[Any], None]], None], seconds: float) -> list[Any]:
        """What `work` told from a fork, as far as it came. A fork that says nothing for `seconds` is ended."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setpgid(0, 0)
                os.close(read)
                if self.answer >= 0:  # a fork of a fork has it no more
                    os.close(self.answer)
                    self.answer = -1
                _quiet()

                def tell(what: Any) -> None:
                    data = json.dumps(what).encode() + b"\n"
                    while data:
                        data = data[os.write(write, data) :]

                work(tell)
            finally:
                os._exit(0)
        os.close(write)
        data = bytearray()
        while select.select([read], [], [], seconds)[0]:
            chunk = os.read(read, 1 << 16)
            if not chunk:
                break
            data += chunk
        os.close(read)
        for end in (os.killpg, os.kill):
            try:
                end(pid, signal.SIGKILL)
            except OSError:
                pass
        os.waitpid(pid, 0)
        found = []
        for line in bytes(data).split(b"\n")[:-1]:
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        return found


def _with_other_chance() -> None:
    """Random numbers other than those of the process that this is a fork of: what hangs on chance is to show it."""
    for name in ("random", "numpy.random"):
        seed = getattr(sys.modules.get(name), "seed", None)
        if seed is not None:
            seed()


def _quiet() -> None:
    nothing = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    try:
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = size + _MORE_MEMORY
    if most == resource.RLIM_INFINITY or wanted < most:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, most))


def _cpu() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _is_test(path: str) -> bool:
    # As tracelens_indexer.workspace has it, which is not here.
    parts = path.split("/")
    name = parts[-1]
    return (
        any(part in ("tests", "test", "testing") for part in parts[:-1])
        or name == "conftest.py"
        or name.startswith("test_")
        or name.endswith("_test.py")
    )


def _import(module: str, path: str) -> Any:
    made = importlib.import_module(module)
    if os.path.realpath(getattr(made, "__file__", "") or "") != os.path.realpath(path):
        raise ImportError(f"{module} is {getattr(made, '__file__', '?')}, not {path}")
    return made


def start(answer: int) -> None:
    """Serve until the conversation ends."""
    Server(answer).main()
