"""How numbers, times and values are written, and how text that is not ours is made safe to show.

Every number says what it is: plain is exact, "≥" at least, "~" estimated. Names, values and messages come from
programs and traces and are untrusted: they are bounded, stripped of control characters and escaped.
"""

from __future__ import annotations

import re
import time
import unicodedata

from tracelens_indexer.traces.records import Counting

LONGEST_VALUE = 60
LONGEST_MESSAGE = 160
LONGEST_NAME = 80

_MARK: dict[Counting, str] = {"exact": "", "at least": "≥ ", "estimated": "~"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$:@])")
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that a terminal or an editor acts on or hides: control, format (bidi), surrogates, separators."""


def count(n: int, counting: Counting = "exact") -> str:
    """1884 → "1,884", "≥ 1,884", "~1,884"."""
    return f"{_MARK[counting]}{n:,}"


def counted(n: int, noun: str, counting: Counting = "exact") -> str:
    """ "1,884 calls", "1 call"."""
    return f"{count(n, counting)} {noun}{'' if n == 1 else 's'}"


def times(n: int, counting: Counting = "exact") -> str:
    return f"{count(n, counting)}×"


def duration(nanoseconds: float) -> str:
    """Two digits are enough to think with: "0.2 ms", "3.1 ms", "12 ms", "85 µs", "1.2 s"."""
    for limit, unit, name in ((1e9, 1e9, "s"), (1e5, 1e6, "ms"), (1e3, 1e3, "µs")):
        if nanoseconds >= limit:
            value = nanoseconds / unit
            return f"{value:.1f} {name}" if value < 9.95 else f"{value:,.0f} {name}"
    return f"{nanoseconds:.0f} ns"


def share(fraction: float, counting: Counting = "exact") -> str:
    """A share of a run, 0…1: "12 %", "~12 %" unless every call was seen."""
    mark = "" if counting == "exact" else "~"
    percent = fraction * 100
    if 0 < percent < 0.95:
        return f"{mark}<1 %" if percent < 0.05 else f"{mark}{percent:.1f} %"
    return f"{mark}{percent:.0f} %"


def percentage(part: int, whole: int) -> str:
    """ "62 %" of what was seen; never "0 %" of something, never "100 %" of almost all."""
    percent = 100 * part / whole if whole else 0.0
    if part and percent < 1:
        return "<1 %"
    if part < whole and percent > 99:
        return ">99 %"
    return f"{percent:.0f} %"


def number(value: float, type_: str = "") -> str:
    """A bound of a range as Python would write one of that type, to six digits: 0.0, 120.5, 3, 1e+09."""
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:.1f}" if type_ == "float" else str(int(value))
    return f"{value:.6g}"


def ago(at_ns: int, now_ns: int | None = None) -> str:
    """ "just now", "2 min ago", "3 h ago", "5 days ago", then the date; "" when the time is unknown."""
    if at_ns <= 0:
        return ""
    seconds = ((time.time_ns() if now_ns is None else now_ns) - at_ns) / 1e9
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min ago"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} h ago"
    if seconds < 30 * 86400:
        return f"{seconds / 86400:.0f} days ago"
    return time.strftime("%Y-%m-%d", time.gmtime(at_ns / 1e9))


def clean(text: str, longest: int = LONGEST_VALUE) -> str:
    """Text that is not ours on one line: invisible and control characters become �, long text ends in …."""
    text = text[: longest + 1].replace("\r\n", "⏎").replace("\n", "⏎").replace("\r", "⏎").replace("\t", " ")
    text = "".join("�" if unicodedata.category(char) in _INVISIBLE else char for char in text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def first_line(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """The first line of a message that has something on it, cleaned; … when more follows."""
    lines = text.strip().split("\n", 1)
    return clean(lines[0].rstrip(), longest) + (" …" if len(lines) > 1 else "")


def escaped(text: str) -> str:
    """Cleaned text for Markdown, outside a code span."""
    return _MARKDOWN.sub(r"\\\1", text)


def code_span(text: str) -> str:
    """Cleaned text as a Markdown code span: nothing inside is acted upon."""
    longest_run = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest_run + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def type_name(qualified: str) -> str:
    """The last part of an exception's or a value's type, as people say it."""
    return clean(qualified.rpartition(".")[2] or qualified, LONGEST_NAME)


def test_name(node_id: str) -> str:
    """ "tests/test_shop.py::TestCart::test_free_sample[gold]" → "test_free_sample[gold]"."""
    return clean(node_id.rpartition("::")[2] or node_id, LONGEST_NAME)


def near(qualname: str, seen_from: str) -> str:
    """A unit's name as short as it is still clear beside code of the module `seen_from`.

    Without the top package both share; `<locals>` is left out: it says nothing to a person.
    """
    name = qualname.replace(".<locals>", "")
    top = seen_from.partition(".")[0]
    return clean(name[len(top) + 1 :] if name.startswith(top + ".") else name, LONGEST_NAME)
