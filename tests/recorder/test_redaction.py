"""Secrets, by name and by look; and what only looks like one."""

from __future__ import annotations

import pytest

from tracelens_recorder.redact import REDACTED, is_secret_name, redact_text
from tracelens_recorder.values import observe

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

SECRETS = [
    (f"Authorization header: {JWT} end", JWT),
    ("id AKIAIOSFODNN7EXAMPLE of", "AKIAIOSFODNN7EXAMPLE"),
    ("ghp_" + "a1B2" * 9, "a1B2a1B2"),
    ("github_pat_" + "11AAAA" * 6, "11AAAA11"),
    ("glpat-" + "x" * 20, "x" * 20),
    ("xoxb-123456789012-abcdefghij", "abcdefghij"),
    ("sk-proj-" + "Zz09" * 6, "Zz09Zz09"),
    ("sk_live_" + "9" * 24, "9" * 24),
    ("AIza" + "S" * 35, "S" * 35),
    ("postgres://app:s3cr3t@db.local/x", "s3cr3t"),
    ("redis://:pa@ss@host:6379", "pa@ss"),
    ("mail ann.other@example.co.uk now", "ann.other"),
    ("card 4111 1111 1111 1111.", "4111 1111"),
    ("5500-0000-0000-0004", "0000-0000"),
    ("378282246310005", "378282246310005"),
    ("Bearer abcdef0123456789", "abcdef0123456789"),
    ("password=hunter2 user=x", "hunter2"),
    ("{'api_key': 'zzz-yyy'}", "zzz-yyy"),
    ("DB_PASSWORD: swordfish", "swordfish"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
]
HARMLESS = [
    "the quick brown fox",
    "2024-01-02 03:04:05.678901",
    "1795261876777682148",
    "4111 1111 1111 1112",
    "https://example.com/a:b@c"[:22],
    "max_tokens=128",
    "tokens: 3",
    "sort_key=name",
    "3.14159265358979323846",
    "token=None",
    "a=1, b=2",
    "C:\\Users\\someone",
]
NAMES = ["password", "db_password", "apiKey", "API_KEY", "x-auth-token", "authToken", "client_secret", "sessionid",
         "privateKey", "PASSWD", "cvv", "ssn", "cookie", "Authorization", "accessToken", "signing_key"]  # fmt: skip
PLAIN_NAMES = ["key", "keys", "sort_key", "cache_key", "primary_key", "max_tokens", "tokenizer", "author", "passenger",
               "compass", "name", "monkey", "keyboard", "bypass", "assessment"]  # fmt: skip


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_secrets_are_replaced(text: str, secret: str) -> None:
    scrubbed, n = redact_text(text)
    assert secret not in scrubbed
    assert n >= 1
    assert redact_text(scrubbed) == (scrubbed, 0), "idempotent"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert redact_text(text) == (text, 0)


@pytest.mark.parametrize("name", NAMES)
def test_secret_names(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_plain_names(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("edge", range(80, 140, 3))
def test_no_half_of_a_secret_is_left_at_the_edge_of_a_cut(edge: int) -> None:
    text = observe("x " * (edge // 2) + JWT + " tail").text
    assert "eyJ" not in text


def test_names_hide_values_at_any_depth() -> None:
    seen = observe({"user": {"password": "abc", "name": "n", "token": None}})
    assert "abc" not in seen.text
    assert "'token': None" in seen.text, "that there is none is no secret"
    assert seen.redacted == 1
    assert observe("abc", "api_key") == ("str", REDACTED, None, None, 1)
    assert observe(4111111111111111).text == REDACTED
