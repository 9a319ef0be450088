"""Evidence is merged by rules that lose nothing silently, and never exceeds what Stripe takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.evidence import APPENDED, MOST_TEXT, MOST_TOGETHER, TEXTS
from sandbox.simulator import dispute_evidence
from workers.services.evidence_texts import END_LEFT_OUT, GIVE_WAY, OLDER_LEFT_OUT, TIMELINE, Cut, Piece, merge

LOG = "access_activity_log"
REST = "uncategorized_text"
KNOWN = {"customer_name": "Ada Lovelace", "product_description": "First aid at work"}
LONG = ("refund_policy_disclosure", "cancellation_policy_disclosure", "product_description", *GIVE_WAY)


def lines(number: int, width: int = 100) -> str:
    """Return so many lines, each of that many characters with its line feed, in the order of their numbers."""
    return "".join(f"{each:0{width - 1}d}\n" for each in range(number)).removesuffix("\n")


def test_what_is_known_stands_where_nothing_was_posted() -> None:
    assembled = merge([], KNOWN, "")
    assert (assembled.texts, assembled.cuts) == (KNOWN, ())


def test_what_was_posted_wins_over_what_is_known() -> None:
    assembled = merge([Piece("product_description", "Three days in London")], KNOWN, "")
    assert assembled.texts == KNOWN | {"product_description": "Three days in London"}


def test_of_a_field_that_is_not_appended_the_newest_piece_counts() -> None:
    pieces = [Piece("service_date", "2026-03-12"), Piece("service_date", "2026-03-19")]
    assert merge(pieces, {}, "").texts == {"service_date": "2026-03-19"}


@pytest.mark.parametrize("field", APPENDED)
def test_pieces_of_a_field_that_is_appended_follow_each_other(field: str) -> None:
    pieces = [Piece(field, "signed in"), Piece("service_date", "2026-03-12"), Piece(field, "signed out")]
    assert merge(pieces, {}, "").texts[field] == "signed in\nsigned out"
    assert merge([Piece(field, "signed in\n"), *pieces[1:]], {}, "").texts[field] == "signed in\nsigned out"


def test_the_timeline_stands_alone_or_behind_what_was_posted() -> None:
    assert merge([], {}, "paid").texts == {REST: "paid"}
    assert merge([Piece(REST, "wrote to them")], {}, "paid").texts == {REST: "wrote to them\n\npaid"}


def test_a_timeline_that_does_not_fit_is_left_out_whole_and_that_is_told() -> None:
    told = "x" * (MOST_TEXT - len("\n\npaid") + 1)
    assembled = merge([Piece(REST, told)], {}, "paid")
    assert assembled.texts == {REST: told}
    assert assembled.cuts == (Cut(TIMELINE, len("paid"), MOST_TEXT),)
    fits = merge([Piece(REST, told[1:])], {}, "paid")
    assert (len(fits.texts[REST]), fits.cuts) == (MOST_TEXT, ())


def test_of_a_log_that_is_too_long_the_oldest_lines_go_and_the_text_says_so() -> None:
    pieces = [Piece(LOG, lines(100)), Piece(LOG, lines(150))]
    assembled = merge(pieces, {}, "")
    text = assembled.texts[LOG]
    assert text.startswith(OLDER_LEFT_OUT)
    kept = text.removeprefix(OLDER_LEFT_OUT)
    assert (lines(100) + "\n" + lines(150)).endswith("\n" + kept)
    assert MOST_TEXT - 100 < len(text) <= MOST_TEXT
    assert assembled.cuts == (Cut(LOG, 25_000 - 1 - len(kept), MOST_TEXT),)


@pytest.mark.parametrize("extra", [0, 1])
def test_lines_that_fit_to_the_character_stay_whole(extra: int) -> None:
    newest = "y" * (MOST_TEXT - len(OLDER_LEFT_OUT) + extra)
    text = merge([Piece(LOG, "older lines\n" * 10), Piece(LOG, newest)], {}, "").texts[LOG]
    assert text == OLDER_LEFT_OUT + newest[extra:]


def test_a_line_at_the_edge_stays_if_all_of_it_fits() -> None:
    space = MOST_TEXT - len(OLDER_LEFT_OUT)
    fits = "first\n" + "y" * (space - len("first\n"))
    for newest, kept in ((fits, fits), ("x" + fits, fits.removeprefix("first\n"))):
        text = merge([Piece(LOG, "older lines\n" * 10), Piece(LOG, newest)], {}, "").texts[LOG]
        assert text == OLDER_LEFT_OUT + kept


def test_of_a_known_text_that_is_too_long_the_end_goes_and_the_text_says_so() -> None:
    assembled = merge([], {"product_description": "z" * (MOST_TEXT + 1)}, "")
    kept = MOST_TEXT - len(END_LEFT_OUT)
    assert assembled.texts == {"product_description": "z" * kept + END_LEFT_OUT}
    assert assembled.cuts == (Cut("product_description", MOST_TEXT + 1 - kept, MOST_TEXT),)


def test_all_together_fields_give_way_in_their_order() -> None:
    pieces = [Piece(field, f"{field[0] * 99}\n" * 199 + "end") for field in LONG]
    together = sum(len(piece.text) for piece in pieces)
    assembled = merge(pieces, {}, "paid" * 100)
    assert sum(map(len, assembled.texts.values())) <= MOST_TOGETHER
    assert MOST_TEXT < together - MOST_TOGETHER < 2 * MOST_TEXT  # the first gives way whole, the second a part
    assert [cut.field for cut in assembled.cuts] == [REST, LOG, TIMELINE]
    assert {cut.limit for cut in assembled.cuts} == {MOST_TOGETHER}
    assert REST not in assembled.texts
    assert assembled.texts[LOG].startswith(OLDER_LEFT_OUT)
    assert assembled.texts[LOG].endswith("\nend")
    for field in set(LONG) - {LOG, REST}:
        assert assembled.texts[field].endswith("\nend")


def test_what_does_not_give_way_can_never_be_too_long_together() -> None:
    short = {"customer_name", "customer_email_address", "customer_purchase_ip", "service_date"}
    assert (len(set(TEXTS) - set(GIVE_WAY) - short)) * MOST_TEXT < MOST_TOGETHER


@given(
    st.lists(st.tuples(st.sampled_from(LONG), st.integers(1, MOST_TEXT), st.integers(2, 500)), max_size=40),
    st.integers(0, MOST_TEXT + 1),
)
def test_nothing_is_too_long_and_what_is_not_told_of_is_whole(
    posted: list[tuple[str, int, int]], timeline: int
) -> None:
    pieces = [Piece(field, ("x" * (width - 1) + "\n") * (size // width) + "e") for field, size, width in posted]
    assembled = merge(pieces, KNOWN, "t" * timeline)
    assert all(1 <= len(text) <= MOST_TEXT for text in assembled.texts.values())
    assert sum(map(len, assembled.texts.values())) <= MOST_TOGETHER
    cut = {each.field for each in assembled.cuts}
    assert len(cut) == len(assembled.cuts)
    assert all(each.characters > 0 for each in assembled.cuts)
    for field in {piece.field for piece in pieces} - cut:
        told = [piece.text for piece in pieces if piece.field == field]
        whole = "\n".join(told) if field in APPENDED else told[-1]
        assert assembled.texts[field].startswith(whole)
    if timeline and TIMELINE not in cut:
        assert assembled.texts[REST].endswith("t" * timeline)


def test_the_simulator_knows_all_fields_and_the_same_limits() -> None:
    assert set(TEXTS) <= set(dispute_evidence.TEXTS)
    assert (MOST_TEXT, MOST_TOGETHER) == (dispute_evidence.MOST_TEXT, dispute_evidence.MOST_TOGETHER)
