"""What is kept to make a call again goes without secrets, and is not taken for one."""

from __future__ import annotations

from tracelens_indexer.profiles.scrubbing import Scrubber
from tracelens_recorder.redact import is_card_number

READING = 30_231_031_484_137
"""Of perf_counter_ns(), after eight hours."""
CARD = 4_111_111_111_111_111


def test_a_reading_of_the_clock_is_no_card() -> None:
    assert is_card_number(str(READING)) and is_card_number(str(CARD))
    scrub = Scrubber()
    world = {"clock": [1_795_289_741_742_696_213, READING, READING], "tape": []}
    assert str(READING) in scrub.replay({"names": {"n": 1}, "world": world})
    assert scrub.redacted == 0


def test_a_call_with_a_secret_is_not_kept_to_be_made_again() -> None:
    for encoded in (
        {"names": {"n": CARD}, "world": {"clock": [1, 2, 3]}},
        {"names": {"n": 1}, "world": {"clock": [1, 2, 3], "tape": [["time.time_ns", CARD]]}},
        {"names": {"n": CARD}},
        {"names": {"n": 1}, "world": {"clock": ["4111 1111 1111 1111", 2, 3]}},
        {"names": {"n": 1}, "world": {"clock": {"n": CARD}}},
    ):
        scrub = Scrubber()
        assert (scrub.replay(encoded), scrub.redacted) == ("", 1)
