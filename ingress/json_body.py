"""Reading a JSON body strictly: what would mean something else to another reader is refused, by name and place.

RFC 8259 leaves open what duplicate keys, huge numbers and lone surrogates mean (I-JSON, RFC 7493, forbids them), and
PostgreSQL stores neither U+0000 nor surrogates. So none of them may enter.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Request

from config.card_numbers import contains_card_number
from ingress.problems import FieldError, ProblemError

MAXIMUM_BYTES = 64 * 1024
IDENTITY = "identity"  # RFC 9110, section 12.5.3: no encoding at all
MAXIMUM_DEPTH = 16  # the deepest body that is understood has three levels
MAXIMUM_INTEGER = 2**63 - 1  # what PostgreSQL's bigint holds
MAXIMUM_DIGITS = len(str(MAXIMUM_INTEGER))
MAXIMUM_NAME = 64  # characters of a field's name that are repeated to its sender
_STRUCTURE = re.compile(r'[\[\]{}"\\]')
# Control characters, lone surrogates, line separators, overrides of the reading direction, and noncharacters.
_ODD = "\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_UNFIT = re.compile(f"[\x00-\x1f{_ODD}]")
_UNFIT_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_ODD}]")  # tabs and line feeds are fit


@dataclass(frozen=True, slots=True)
class _Flaw:
    """A value that JSON allows and Tollgate does not; it stands in the value's place until its path is known."""

    code: str
    message: str


class _Duplicates(dict[str, Any]):
    """An object in which keys stand twice."""

    names: list[str]


def read_body(request: Request, limit: int) -> bytes:
    """Read the raw body, and no more of it than the limit (bytes).

    Raises:
        ProblemError: `body_too_large`.
    """
    too_large = ProblemError("body_too_large", f"The body must not be larger than {limit} bytes.")
    if request.content_length is not None and request.content_length > limit:
        raise too_large
    pieces, size = [], 0
    while piece := request.stream.read(limit + 1 - size):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise too_large
    return b"".join(pieces)


def read_json(request: Request, *, lines: bool = False) -> dict[str, Any]:
    """Read the body as one JSON object with nothing in it that must not enter.

    Args:
        request: the one that is being answered.
        lines: whether texts may have several lines, and tabs.

    Raises:
        ProblemError: `unsupported_media_type`, `body_too_large`, `malformed_body` or `card_number_refused`.
    """
    return parse_object(read_json_bytes(request, MAXIMUM_BYTES), lines=lines)


def read_json_bytes(request: Request, limit: int) -> bytes:
    """Read a body that says it is JSON, and no more of it than the limit (bytes).

    Raises:
        ProblemError: `unsupported_media_type` or `body_too_large`.
    """
    if request.mimetype != "application/json" or request.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise ProblemError("unsupported_media_type", "The body must be JSON in UTF-8: Content-Type: application/json.")
    if request.headers.get("Content-Encoding", IDENTITY).strip().lower() not in {IDENTITY, ""}:
        raise ProblemError("unsupported_media_type", "The body must not be compressed: leave Content-Encoding out.")
    return read_body(request, limit)


def parse_object(body: bytes, *, lines: bool = False) -> dict[str, Any]:
    """Parse one JSON object; `lines` as in `read_json`.

    Raises:
        ProblemError: `malformed_body` or `card_number_refused`, naming every place.
    """
    document, flaws = examine(body, lines=lines)
    refuse(flaws)
    if not isinstance(document, dict):
        raise _malformed("not_an_object", "The body must be a JSON object.")
    return document


def examine(body: bytes, *, lines: bool = False) -> tuple[Any, list[FieldError]]:
    """Parse JSON, and name all in it that must not enter; what has such flaws must not be used.

    `lines` is as in `read_json`.

    Raises:
        ProblemError: `malformed_body`: it is no JSON.
    """
    document = _parse(_decode(body))
    return document, list(_flaws(document, "", _UNFIT_IN_LINES if lines else _UNFIT))


def refuse(flaws: Sequence[FieldError]) -> None:
    """Refuse what has flaws.

    Raises:
        ProblemError: `malformed_body` or `card_number_refused`, naming every place.
    """
    if any(flaw.code == "card_number_refused" for flaw in flaws):
        cards = [flaw for flaw in flaws if flaw.code == "card_number_refused"]
        raise ProblemError("card_number_refused", "A field holds what looks like a card number.", errors=cards)
    if flaws:
        raise ProblemError("malformed_body", "The body holds values that are not acceptable.", errors=list(flaws))


def pointer(*names: str) -> str:
    """Return a JSON pointer (RFC 6901); a name that is odd, long or holds a card number is not repeated."""
    return "".join("/" + _shown(name).replace("~", "~0").replace("/", "~1") for name in names)


def _shown(name: str) -> str:
    if len(name) > MAXIMUM_NAME or _UNFIT.search(name) or contains_card_number(name):
        return "…"
    return name


def _malformed(code: str, message: str) -> ProblemError:
    return ProblemError("malformed_body", message, errors=[FieldError("", code, message)])


def _decode(body: bytes) -> str:
    if not body:
        raise _malformed("empty", "The body is empty.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed("not_utf8", f"The body is not UTF-8: byte {error.start} is wrong.") from None
    if text.startswith("\ufeff"):
        raise _malformed("byte_order_mark", "The body begins with a byte order mark.")
    if is_deeper(text, MAXIMUM_DEPTH):
        raise _malformed("too_deep", f"The body is nested deeper than {MAXIMUM_DEPTH} levels.")
    return text


def is_deeper(text: str, levels: int) -> bool:
    """Measure the nesting before parsing: Python's parser recurses, and may run out of stack."""
    if text.count("[") + text.count("{") <= levels:
        return False
    depth, in_string, skip = 0, False, -1
    for match in _STRUCTURE.finditer(text):
        mark = match[0]
        if match.start() == skip:
            continue
        if mark == '"':
            in_string = not in_string
        elif in_string:
            skip = match.start() + 1 if mark == "\\" else -1
        elif mark in "[{":
            depth += 1
            if depth > levels:
                return True
        elif mark in "]}":
            depth -= 1
    return False


def _parse(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        raise _malformed("not_json", f"The body is not JSON: line {error.lineno}, column {error.colno}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    seen: set[str] = set()
    doubled = _Duplicates(fields)
    doubled.names = sorted({name for name, _ in pairs if name in seen or seen.add(name)})  # type: ignore[func-returns-value]  # add() returns None, which is the point
    return doubled


def _integer(digits: str) -> int | _Flaw:
    if len(digits.lstrip("-")) <= MAXIMUM_DIGITS and abs(int(digits)) <= MAXIMUM_INTEGER:
        return int(digits)
    return _Flaw("number_too_large", "The number does not fit in 64 bits.")


def _float(digits: str) -> float | _Flaw:
    number = float(digits)
    return number if math.isfinite(number) else _Flaw("number_too_large", "The number is too large.")


def _constant(name: str) -> _Flaw:
    return _Flaw("not_a_number", f"{name} is not JSON.")


def _flaws(value: Any, path: str, unfit: re.Pattern[str]) -> Iterator[FieldError]:
    """Yield all that is wrong with a value; its depth is limited by now."""
    if isinstance(value, _Flaw):
        yield FieldError(path, value.code, value.message)
    elif isinstance(value, str):
        yield from _text_flaws(value, path, unfit)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flaws(inner, f"{path}/{index}", unfit)
    elif isinstance(value, dict):
        if isinstance(value, _Duplicates):
            for name in value.names:
                yield FieldError(path + pointer(name), "duplicate_key", "The field stands there more than once.")
        for name, inner in value.items():
            here = path + pointer(name)
            for flaw in _text_flaws(name, here, _UNFIT):
                yield replace(flaw, message=f"In the field's name: {flaw.message}")
            yield from _flaws(inner, here, unfit)


def _text_flaws(text: str, path: str, unfit: re.Pattern[str]) -> Iterator[FieldError]:
    if unfit.search(text):
        yield FieldError(path, "unfit_character", "The text holds a control character or is not valid Unicode.")
    if contains_card_number(text):
        yield FieldError(path, "card_number_refused", "The text looks like a card number: those are refused.")
