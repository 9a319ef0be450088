from __future__ import annotations

import re

from sandbox.simulator.invoice_pdf import MOST_LINES, pdf


def test_every_entry_of_the_table_points_at_its_object() -> None:
    document = pdf(["Invoice AB-0001", "Total: £12.00"])
    table = int(document.split(b"startxref\n")[1].split(b"\n")[0])
    assert document[table:].startswith(b"xref\n0 6\n")
    places = [int(each) for each in re.findall(rb"(\d{10}) 00000 n ", document)]
    assert [document[place:].split(b"\n")[0] for place in places] == [b"%d 0 obj" % each for each in range(1, 6)]


def test_a_stream_is_as_long_as_it_says() -> None:
    document = pdf(["one", "two"])
    [found] = re.findall(rb"/Length (\d+) >>\nstream\n(.*)\nendstream", document, re.DOTALL)
    assert int(found[0]) == len(found[1])


def test_what_would_end_a_string_is_escaped_and_what_the_font_lacks_is_a_question_mark() -> None:
    assert rb"(a \(b\) \\ ? \243)".replace(b"\\243", "£".encode("latin-1")) in pdf(["a (b) \\ 東 £"])


def test_a_page_shows_as_many_lines_as_fit_and_says_that_there_are_more() -> None:
    assert pdf(["x"] * MOST_LINES).count(b"Tj") == MOST_LINES
    assert pdf(["x"] * (MOST_LINES + 10)).count(b"Tj") == MOST_LINES
    assert b"(...) Tj" in pdf(["x"] * (MOST_LINES + 10))
