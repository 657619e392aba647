"""What kind of failure it is: a class from the exception, its message, and the statement that raised."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

CLASSES = (
    *("bad input", "missing key", "missing attribute", "None", "type mismatch", "boundary", "arithmetic", "resource"),
    *("API", "encoding", "concurrency", "missing await", "configuration", "logic", "security"),
)

_BY_MESSAGE = (
    (r"coroutine|was never awaited|async_generator'? object", "missing await"),
    (r"event loop|different loop|another task|Lock is|deadlock|cannot schedule new futures", "concurrency"),
    (r"partially initialized module|circular import", "configuration"),
    (r"codec can't (en|de)code|surrogates not allowed|Incorrect padding|unknown encoding", "encoding"),
    (r"NoneType", "None"),
    (r"empty (sequence|iterable|list|deque|set|range)|from an? empty|is empty|iterable argument is empty", "boundary"),
    (r"math domain error|math range error|Result too large|by zero|NaN|infinity", "arithmetic"),
    (r"not in list|not in deque|is not in (list|tuple)|tuple\.index|not in sequence", "missing key"),
    (r"changed size during iteration|mutated during iteration", "logic"),
)
_BY_TYPE = {
    "KeyError": "missing key",
    "NoSectionError": "configuration",
    "NoOptionError": "configuration",
    "MissingSectionHeaderError": "configuration",
    "InterpolationError": "configuration",
    "AttributeError": "missing attribute",
    "IndexError": "boundary",
    "StopIteration": "boundary",
    "StopAsyncIteration": "boundary",
    "EOFError": "boundary",
    "StatisticsError": "boundary",
    "ZeroDivisionError": "arithmetic",
    "OverflowError": "arithmetic",
    "FloatingPointError": "arithmetic",
    "DivisionByZero": "arithmetic",
    "InvalidOperation": "arithmetic",
    "TypeError": "type mismatch",
    "UnicodeError": "encoding",
    "UnicodeDecodeError": "encoding",
    "UnicodeEncodeError": "encoding",
    "UnicodeTranslateError": "encoding",
    "LookupError": "missing key",
    "FileNotFoundError": "resource",
    "FileExistsError": "resource",
    "PermissionError": "resource",
    "IsADirectoryError": "resource",
    "NotADirectoryError": "resource",
    "OSError": "resource",
    "BlockingIOError": "resource",
    "BrokenPipeError": "resource",
    "MemoryError": "resource",
    "UnsupportedOperation": "resource",
    "TimeoutExpired": "resource",
    "CalledProcessError": "resource",
    "TimeoutError": "API",
    "ConnectionError": "API",
    "ConnectionRefusedError": "API",
    "ConnectionResetError": "API",
    "URLError": "API",
    "HTTPError": "API",
    "RequestException": "API",
    "HTTPStatusError": "API",
    "RateLimitError": "API",
    "gaierror": "API",
    "ImportError": "configuration",
    "ModuleNotFoundError": "configuration",
    "InvalidStateError": "concurrency",
    "BrokenBarrierError": "concurrency",
    "CancelledError": "concurrency",
    "QueueFull": "concurrency",
    "NameError": "logic",
    "UnboundLocalError": "logic",
    "RecursionError": "logic",
    "NotImplementedError": "logic",
    "AssertionError": "logic",
    "RuntimeError": "logic",
    "FrozenInstanceError": "logic",
    "SyntaxError": "bad input",
}
_EVALUATES = frozenset(["eval", "exec", "os.system", "pickle.load", "pickle.loads", "marshal.loads", "yaml.load"])


@dataclass(frozen=True, slots=True)
class Class:
    name: str
    """One of CLASSES."""
    why: str
    """What it was told from, as the end of a sentence."""


def classify(kind: str, message: str, statement: ast.stmt | None, line: int = 0) -> Class:
    """kind: the exception's type, dotted. line: that raised, to look at the calls on it alone; 0 unknown."""
    short = kind.rpartition(".")[2]
    calls = _calls(statement)
    for name, node in calls:
        shell = any(word.arg == "shell" and getattr(word.value, "value", False) for word in node.keywords)
        if (name in _EVALUATES or shell) and short not in ("TypeError", "KeyError", "IndexError"):
            return Class("security", f"{name} runs what it is given")
    if short.endswith(("OperationalError", "ProgrammingError")) and any(_is_built_sql(node) for _, node in calls):
        return Class("security", "the query is put together from values")
    if isinstance(statement, ast.Raise) and not _fails_before(statement, short):
        named = _BY_TYPE.get(short)
        if named in ("resource", "API", "configuration", "concurrency"):
            return Class(named, "it is raised on purpose")
        return Class("bad input", "the function refuses what it was given, on purpose")
    if _reads_environment(statement) and short == "KeyError":
        return Class("configuration", "a variable of the environment is not set")
    for pattern, name in _BY_MESSAGE:
        if re.search(pattern, message):
            return Class(name, f"its message: {message[:80]}")
    if short == "ValueError" or short.endswith(("DecodeError", "ParseError", "ValidationError")):
        return Class("bad input", "a value has not the form that is asked for")
    if short in _BY_TYPE:
        return Class(_BY_TYPE[short], f"{short} is that")
    if short.endswith(("ConnectionError", "Timeout", "HTTPError")):
        return Class("API", f"{short} comes from a service")
    if short.endswith(("NotFound", "DoesNotExist")):
        return Class("missing key", f"{short} is that")
    return (
        Class("bad input", f"{short} is an exception of the program or a package")
        if "." in kind
        else Class("logic", f"{short}")
    )


def _fails_before(statement: ast.Raise, short: str) -> bool:
    """Whether what failed is the making of the exception that was to be raised: `raise ValueError(text.decode())`."""
    made = statement.exc.func if isinstance(statement.exc, ast.Call) else None
    return isinstance(made, ast.Name) and made.id in _BY_TYPE.keys() | {"ValueError"} and made.id != short


def _calls(statement: ast.stmt | None) -> list[tuple[str, ast.Call]]:
    if statement is None or hasattr(statement, "body"):
        return []
    return [(ast.unparse(node.func), node) for node in ast.walk(statement) if isinstance(node, ast.Call)]


def _is_built_sql(node: ast.Call) -> bool:
    name = ast.unparse(node.func).rpartition(".")[2]
    if name not in ("execute", "executemany", "executescript") or not node.args:
        return False
    query = node.args[0]
    formatted = isinstance(query, ast.Call) and ast.unparse(query.func).endswith(".format")
    return formatted or isinstance(query, ast.JoinedStr | ast.BinOp)


def _reads_environment(statement: ast.stmt | None) -> bool:
    if statement is None:
        return False
    return any(
        isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("os.environ", "environ")
        for node in ast.walk(statement)
    )
