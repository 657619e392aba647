"""What must not be written down: secrets recognised by the name they go under, or by how they look.

Pure functions on text, used by the recorder before anything reaches the disk, and again by whoever reads a trace.
Every pattern is gated by a literal test, because one big alternation costs over 100 µs on a string of 200 characters.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Match, Optional, Pattern, Sequence, Tuple

REDACTED = "[redacted]"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# fmt: off
_SECRET_WORDS = frozenset([
    "auth", "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "csrf", "cvc", "cvv", "jwt",
    "oauth", "otp", "passphrase", "passwd", "password", "passwords", "passwort", "pwd", "secret", "secrets", "session",
    "ssn", "token", "xsrf",
])
_SECRET_PARTS = (
    "accesskey",
    "accesstoken",
    "apikey",
    "authtoken",
    "credential",
    "passwd",
    "passwor",
    "privatekey",
    "refreshtoken",
    "secretkey",
    "sessionid",
)
_HARMLESS_BESIDE_KEY = frozenset([
    "attr", "cache", "col", "column", "default", "dict", "field", "foreign", "func", "function", "group", "hash",
    "index", "item", "keys", "lookup", "map", "match", "name", "order", "partition", "primary", "public", "route",
    "row", "sort", "type", "unique",
])
# fmt: on
"""`cache_key` and `primary_key` name things that are looked up, `api_key` and `signing_key` are secrets."""
_ABOUT_SECRETS = frozenset(
    [
        "count",
        "expired",
        "expires",
        "expiry",
        "field",
        "len",
        "length",
        "limit",
        "minutes",
        "policy",
        "seconds",
        "size",
        "ttl",
        "type",
    ]
)
"""`token_type` and `password_min_length` say something about a secret, and hold none."""

_names: Dict[str, bool] = {}
_NAMES_KEPT = 4096


_own_names: Optional[Pattern[str]] = None
_own_patterns: Tuple[Pattern[str], ...] = ()


def configure(names: Sequence[str] = (), patterns: Sequence[str] = ()) -> List[str]:
    """Set, for this process, what else is secret: names (`*` stands for anything, case does not matter) and regular
    expressions. Of a pattern with groups the first is the secret, else the whole match.

    Returns a line for each pattern that cannot be used; the others are.
    """
    global _own_names, _own_patterns
    problems: List[str] = []
    own = "|".join(re.escape(name.strip()).replace(r"\*", ".*") for name in names if name.strip())
    _own_names = re.compile("(?:" + own + r")\Z", re.I) if own else None
    compiled: List[Pattern[str]] = []
    for text in patterns:
        try:
            pattern = re.compile(text)
        except (re.error, RecursionError, OverflowError) as error:
            problems.append(f"the pattern {text!r} of [tool.tracelens.redact] cannot be used: {error}")
            continue
        if pattern.match(""):
            problems.append(f"the pattern {text!r} of [tool.tracelens.redact] matches nothing at all, and is not used")
            continue
        compiled.append(pattern)
    _own_patterns = tuple(compiled)
    _names.clear()
    return problems


def is_secret_name(name: str) -> bool:
    """Whether what goes under this name is a secret: `password`, `apiKey`, `X-Auth-Token`, but not `max_tokens`.

    The single word `key` is not: it is the usual name of a dictionary's key. What it holds is still scrubbed.
    """
    known = _names.get(name)
    if known is None:
        known = _is_secret_name(name[:200])
        if len(_names) >= _NAMES_KEPT:
            _names.clear()
        _names[name] = known
    return known


def _is_secret_name(name: str) -> bool:
    if _own_names is not None and _own_names.match(name):
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    if words and words[-1] in _ABOUT_SECRETS:
        return False
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    joined = "".join(words)
    if any(part in joined for part in _SECRET_PARTS):
        return True
    return "key" in words and len(words) > 1 and _HARMLESS_BESIDE_KEY.isdisjoint(words)


_Replacement = Callable[[Match[str]], str]


def _whole(match: Match[str]) -> str:
    return REDACTED


def _after_first_group(match: Match[str]) -> str:
    return match.group(1) + REDACTED


def _first_group(match: Match[str]) -> str:
    if not match.re.groups or match.group(1) is None:
        return match.group() if match.group() == REDACTED or not match.group() else REDACTED
    start, end = match.start(1) - match.start(), match.end(1) - match.start()
    whole = match.group()
    return whole[:start] + REDACTED + whole[end:] if end > start else whole


def _card(match: Match[str]) -> str:
    return REDACTED if is_card_number(match.group()) else match.group()


def _assignment(match: Match[str]) -> str:
    name, between, value = match.group(1), match.group(2), match.group(3)
    if not is_secret_name(name) or value.startswith(REDACTED) or value.lower() in _PLAIN_WORDS or value == name:
        return match.group()
    if match.string.startswith("(", match.end()):  # `session=Session()`: code
        return match.group()
    return name + between + REDACTED


_PLAIN_WORDS = frozenset(
    [
        "basic",
        "bearer",
        "disabled",
        "enabled",
        "false",
        "no",
        "none",
        "null",
        "off",
        "on",
        "optional",
        "required",
        "true",
        "yes",
    ]
)
"""What says whether there is a secret, or of what kind."""

_GATED: Tuple[Tuple[Tuple[str, ...], Pattern[str], _Replacement], ...] = (
    (
        ("PRIVATE KEY-----",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END).)*(?:-----END [A-Z ]*PRIVATE KEY-----)?", re.S),
        _whole,
    ),
    (("eyJ",), re.compile(r"eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"), _whole),
    (("AKIA", "ASIA"), re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), _whole),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
        _whole,
    ),
    (("glpat-",), re.compile(r"\bglpat-[\w-]{16,}"), _whole),
    (("xox",), re.compile(r"\bxox[abeoprs]-[\w-]{10,}"), _whole),
    (("sk-", "sk_", "rk_", "pk_"), re.compile(r"\b(?:sk-[\w-]{16,}|[srp]k_(?:live|test)_\w{10,})"), _whole),
    (("npm_", "hf_"), re.compile(r"\b(?:npm|hf)_[A-Za-z0-9]{30,}"), _whole),
    (("pypi-Ag",), re.compile(r"\bpypi-Ag[\w-]{16,}"), _whole),
    (("dop_v1_", "doo_v1_"), re.compile(r"\bdo[op]_v1_[0-9a-f]{20,}"), _whole),
    (("SG.",), re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}"), _whole),
    (("hooks.slack.com/",), re.compile(r"(hooks\.slack\.com/\w+/)[\w/]{8,}"), _after_first_group),
    (("AIza",), re.compile(r"\bAIza[\w-]{30,}"), _whole),
    (("earer ", "asic "), re.compile(r"\b([Bb]earer |[Bb]asic )(?=\S*\d|\S{20})[\w.~+/=-]{8,}"), _after_first_group),
    (("://",), re.compile(r"(://[^\s/:@]*:)[^\s/]+(?=@)"), _after_first_group),
    (("@",), re.compile(r"(?<![\w.+-])(?!git@)[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), _whole),
)

_CARD_GATE = re.compile(r"\d{4}[ -]?\d{2}")
# One in 20,000 UUIDs begins with what could be the number of a card.
_CARD = re.compile(r"(?<!\w)(?<!\d\.)(?!\w{8}-\w{4}-\w{4}-\w{4}-\w{12}(?!\w))[2-6](?:[ -]?\d){12,18}(?!\w|\.\d)")
_ASSIGNMENT_GATES = (
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "auth",
    "cred",
    "cookie",
    "session",
    "ssn",
    "cvv",
    "cvc",
    "otp",
    "phrase",
)
_ASSIGNMENT = re.compile(r"""([A-Za-z_][\w-]*)((?:["']\s*)?\s?[=:]\s*["']?)([^\s"',;&(){}]+)""")


def redact_text(text: str) -> Tuple[str, int]:
    """The text with what looks like a secret replaced by `[redacted]`, and how many were replaced.

    Idempotent. Scrub before truncating: half a secret is not recognised any more, and still leaks.
    """
    found = 0
    for pattern in _own_patterns:
        text, n = _replace(pattern, _first_group, text)
        found += n
    if len(text) < 5:
        return text, found
    for gates, pattern, replacement in _GATED:
        for gate in gates:
            if gate in text:
                text, n = _replace(pattern, replacement, text)
                found += n
                break
    if len(text) >= 13 and _CARD_GATE.search(text):
        text, n = _replace(_CARD, _card, text)
        found += n
    if "=" in text or ":" in text:
        lowered = text.lower()
        for gate in _ASSIGNMENT_GATES:
            if gate in lowered:
                text, n = _replace(_ASSIGNMENT, _assignment, text)
                found += n
                break
    return text, found


def _replace(pattern: Pattern[str], replacement: _Replacement, text: str) -> Tuple[str, int]:
    changed = 0

    def count(match: Match[str]) -> str:
        nonlocal changed
        new = replacement(match)
        changed += new != match.group()
        return new

    return pattern.sub(count, text), changed


def is_card_number(text: str) -> bool:
    """Whether the digits of a text are the number of a payment card: issuer's range, length and Luhn check digit."""
    digits = [int(character) for character in text if "0" <= character <= "9"]
    if not 13 <= len(digits) <= 19 or not 2 <= digits[0] <= 6:
        return False
    if digits[0] == 2 and not 22 <= digits[0] * 10 + digits[1] <= 27:
        return False
    total = 0
    for position, digit in enumerate(reversed(digits)):
        if position % 2:
            digit = digit * 2 - 9 if digit > 4 else digit * 2
        total += digit
    return total % 10 == 0
