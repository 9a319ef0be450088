"""What would break a client between two OpenAPI documents.

Requests may be allowed more and asked for less; answers may hold more and promise more. All else breaks somebody.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
MEDIA = "application/json"
_NARROWER_IF_LESS = ("maximum", "maxLength", "maxItems", "maxProperties")
_NARROWER_IF_MORE = ("minimum", "minLength", "minItems", "minProperties")


def breaking_changes(old: Document, new: Document) -> list[str]:
    """Return, in words, each change from the old document to the new that would break a client; none if compatible."""
    changes: list[str] = []
    for path, methods in old.get("paths", {}).items():
        for method, before in methods.items():
            after = new.get("paths", {}).get(path, {}).get(method)
            where = f"{method.upper()} {path}"
            if after is None:
                changes.append(f"{where} is gone")
            else:
                changes += _operation(where, before, after, old, new)
    return changes


def _operation(where: str, before: Document, after: Document, old: Document, new: Document) -> Iterator[str]:
    yield from _parameters(where, before, after, old, new)
    old_body, new_body = before.get("requestBody", {}), after.get("requestBody", {})
    if new_body.get("required") and not old_body.get("required"):
        yield f"{where} now requires a body"
    if MEDIA in old_body.get("content", {}):
        if MEDIA in new_body.get("content", {}):
            pair = _schema(old_body), _schema(new_body)
            yield from _Comparison(old, new, asked=True).schema(f"{where} body", *pair)
        else:
            yield f"{where} takes no JSON body any more"
    for status, answer in before.get("responses", {}).items():
        if status not in after.get("responses", {}):
            yield f"{where} no longer answers {status}"
        else:
            yield from _answer(f"{where} {status}", answer, after["responses"][status], old, new)


def _answer(where: str, before: Document, after: Document, old: Document, new: Document) -> Iterator[str]:
    for name in before.get("headers", {}):
        if name not in after.get("headers", {}):
            yield f"{where} has no header {name} any more"
    for media in before.get("content", {}):
        if media not in after.get("content", {}):
            yield f"{where} is not {media} any more"
        else:
            pair = _schema(before, media), _schema(after, media)
            yield from _Comparison(old, new, asked=False).schema(f"{where} body", *pair)


def _parameters(where: str, before: Document, after: Document, old: Document, new: Document) -> Iterator[str]:
    known = {(p["in"], p["name"]): p for p in before.get("parameters", [])}
    now = {(p["in"], p["name"]): p for p in after.get("parameters", [])}
    for key, parameter in known.items():
        if key not in now:
            yield f"{where} has no {key[0]} parameter {key[1]} any more"
        else:
            comparison = _Comparison(old, new, asked=True)
            yield from comparison.schema(f"{where} {key[1]}", parameter["schema"], now[key]["schema"])
    for key, parameter in now.items():
        if parameter.get("required") and not known.get(key, {}).get("required"):
            yield f"{where} now requires the {key[0]} parameter {key[1]}"


def _schema(holder: Document, media: str = MEDIA) -> Document:
    schema: Document = holder["content"][media].get("schema", {})
    return schema


class _Comparison:
    """Compares schemas that a client writes (`asked`) or reads."""

    def __init__(self, old: Document, new: Document, *, asked: bool) -> None:
        self._old, self._new, self._asked = old, new, asked

    def schema(self, where: str, before: Document, after: Document) -> Iterator[str]:
        before, after = _resolved(before, self._old), _resolved(after, self._new)
        yield from self._types(where, before, after)
        yield from self._words(where, before, after)
        if self._asked:
            yield from _limits(where, before, after)
        yield from self._properties(where, before, after)
        if "items" in before and "items" in after:
            yield from self.schema(f"{where}[]", before["items"], after["items"])
        for nested in ("additionalProperties",):
            if isinstance(before.get(nested), Mapping) and isinstance(after.get(nested), Mapping):
                yield from self.schema(f"{where}.*", before[nested], after[nested])

    def _types(self, where: str, before: Document, after: Document) -> Iterator[str]:
        was, now = _types(before), _types(after)
        lost = was - now if self._asked else now - was
        if was and now and lost:
            yield f"{where} changed its type from {_listed(was)} to {_listed(now)}"

    def _words(self, where: str, before: Document, after: Document) -> Iterator[str]:
        was, now = before.get("enum"), after.get("enum")
        if self._asked and now is not None and (was is None or set(was) - set(now)):
            gone = _listed(set(was) - set(now)) if was is not None else "others"
            yield f"{where} no longer takes {gone}"

    def _properties(self, where: str, before: Document, after: Document) -> Iterator[str]:
        was, now = before.get("properties", {}), after.get("properties", {})
        for name, schema in was.items():
            if name not in now:
                yield f"{where}.{name} is gone"
            else:
                yield from self.schema(f"{where}.{name}", schema, now[name])
        old_required, new_required = set(before.get("required", ())), set(after.get("required", ()))
        for name in sorted(new_required - old_required if self._asked else (old_required - new_required) & set(now)):
            yield f"{where}.{name} is {'now required' if self._asked else 'no longer always there'}"


def _limits(where: str, before: Document, after: Document) -> Iterator[str]:
    for name in _NARROWER_IF_LESS:
        if name in after and (name not in before or after[name] < before[name]):
            yield f"{where} has a narrower {name}: {after[name]}"
    for name in _NARROWER_IF_MORE:
        if name in after and (name not in before or after[name] > before[name]):
            yield f"{where} has a narrower {name}: {after[name]}"
    if after.get("pattern") not in (None, before.get("pattern")):
        yield f"{where} has another pattern: {after['pattern']}"


def _types(schema: Document) -> set[str]:
    """Return the types that a schema allows, `anyOf` included; none if it does not say."""
    kind = schema.get("type", ())
    types = {kind} if isinstance(kind, str) else set(kind)
    for option in schema.get("anyOf", ()):
        types |= {"object"} if "$ref" in option else _types(option)
    return types


def _resolved(schema: Document, document: Document) -> Document:
    """Follow a reference; of an `anyOf` with null (a nullable object) take the object, keeping that it may be null."""
    if "$ref" in schema:
        found: Any = document
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return _resolved(found, document)
    options: Sequence[Document] = schema.get("anyOf", ())
    objects = [_resolved(option, document) for option in options if option.get("type") != "null"]
    if len(objects) == 1:
        return {**objects[0], "type": sorted(_types(schema))}
    return schema


def _listed(words: set[str]) -> str:
    return ", ".join(sorted(map(str, words)))
