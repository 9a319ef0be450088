"""What is no acceptable JSON is refused by name and place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.json_body import MAXIMUM_DEPTH, is_deeper, parse_object, pointer
from ingress.problems import ProblemError

HOSTILE = [
    (b"", "", "empty"),
    (b"   ", "", "not_json"),
    (b"{", "", "not_json"),
    (b'{"a":1}x', "", "not_json"),
    (b"{'a':1}", "", "not_json"),
    (b'{"a":"\x01"}', "", "not_json"),
    (b"\xff\xfe", "", "not_utf8"),
    (b'{"a":"\xed\xa0\x80"}', "", "not_utf8"),
    (b"\xef\xbb\xbf{}", "", "byte_order_mark"),
    (b"[]", "", "not_an_object"),
    (b"null", "", "not_an_object"),
    (b'"text"', "", "not_an_object"),
    (b'{"a":NaN}', "/a", "not_a_number"),
    (b'{"a":[1,-Infinity]}', "/a/1", "not_a_number"),
    (b'{"a":1e999}', "/a", "number_too_large"),
    (b'{"a":9223372036854775808}', "/a", "number_too_large"),
    (b'{"a":-9223372036854775808}', "/a", "number_too_large"),
    (b'{"a":' + b"9" * 60000 + b"}", "/a", "number_too_large"),
    (b'{"a":1,"a":1}', "/a", "duplicate_key"),
    (b'{"a":{"b":[{"c":1,"c":2}]}}', "/a/b/0/c", "duplicate_key"),
    (b'{"a":"x\\u0000"}', "/a", "unfit_character"),
    (b'{"a":"x\\ud800"}', "/a", "unfit_character"),
    (b'{"a":"x\\n"}', "/a", "unfit_character"),
    (b'{"a":"\\u202egpj.exe"}', "/a", "unfit_character"),
    (b'{"x\\u0000":1}', "/…", "unfit_character"),
    (b"[" * 60000, "", "too_deep"),
    (b'{"a":' * 17 + b"1" + b"}" * 17, "", "too_deep"),
    (b'{"a":"' + b'\\"' * 30000, "", "not_json"),
    (b'{"a":"4242 4242-4242 4242"}', "/a", "card_number_refused"),
    (b'{"4242424242424242":"a"}', "/…", "card_number_refused"),
]


@pytest.mark.parametrize(("body", "field", "code"), HOSTILE, ids=lambda value: repr(value)[:40])
def test_a_hostile_body_is_refused_by_name_and_place(body: bytes, field: str, code: str) -> None:
    with pytest.raises(ProblemError) as refused:
        parse_object(body)
    assert refused.value.kind.status in {400, 422}
    assert (field, code) in [(error.field, error.code) for error in refused.value.errors]


def test_texts_may_have_lines_and_tabs_where_that_is_asked_for_and_nothing_else() -> None:
    assert parse_object(b'{"a":"x\\n\\ty"}', lines=True) == {"a": "x\n\ty"}
    for body in (b'{"a":"x\\r\\n"}', b'{"a":"\\u000b"}', b'{"a":["\\u2028"]}', b'{"a\\n":1}', b'{"a":"\\u007f"}'):
        with pytest.raises(ProblemError) as refused:
            parse_object(body, lines=True)
        assert [error.code for error in refused.value.errors] == ["unfit_character"]
    with pytest.raises(ProblemError):
        parse_object(b'{"a":"4242\\n4242 4242\\t4242"}', lines=True)


def test_what_was_sent_is_not_repeated() -> None:
    with pytest.raises(ProblemError) as refused:
        parse_object(b'{"note":"my card is 4242424242424242"}')
    assert "4242" not in repr([refused.value.detail, refused.value.errors])


@pytest.mark.parametrize(
    "body", [b'{"a":9223372036854775807}', b'{"a":-1.5e3,"b":[true,null]}', '{"a":"ä\\"\\\\"}'.encode()]
)
def test_good_json_is_read_as_it_is(body: bytes) -> None:
    assert parse_object(body) == json.loads(body)


def test_the_deepest_allowed_body_is_read() -> None:
    body = b'{"a":' * MAXIMUM_DEPTH + b"1" + b"}" * MAXIMUM_DEPTH
    assert parse_object(body) == json.loads(body)


def test_brackets_in_strings_are_no_nesting() -> None:
    assert not is_deeper(json.dumps({"a": "[" * 100 + '"\\' + "{" * 100}), 1)
    assert is_deeper(json.dumps({"a": '\\"', "b": [1]}), 1)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(body: bytes) -> None:
    try:
        parse_object(body)
    except ProblemError as error:
        assert error.kind.status in {400, 422}  # noqa: PT017 - either way is right, no other is


@given(
    st.dictionaries(
        st.text("abc~/", min_size=1),
        st.recursive(st.integers(-5, 5) | st.booleans(), st.lists, max_leaves=8),
        max_size=5,
    )
)
def test_every_plain_object_is_read_as_python_reads_it(document: dict[str, object]) -> None:
    body = json.dumps(document)
    if not is_deeper(body, MAXIMUM_DEPTH):
        assert parse_object(body.encode()) == document


def test_a_pointer_is_escaped_and_hides_odd_names() -> None:
    assert pointer("a/b", "c~d", "0") == "/a~1b/c~0d/0"
    assert pointer("x" * 65) == pointer("\x00") == pointer("4242424242424242") == "/…"
