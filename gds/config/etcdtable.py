"""`[runner.etcd]`: what each key may hold, and what one means for another.

The same validators serve file, environment and command line, where everything is text: so a list may be one string with
commas, and a boolean the word.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import PlainValidator

from gds.config.document import value_type
from gds.config.refusal import refused, unexpected
from gds.model.properties import ETCD, KINDS, Property
from gds.model.settings import ETCD as BEFORE
from gds.model.settings import EtcdSettings, settings_from
from gds.rgm.tenure import refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

TIMES = ("lifetime", "renew", "attempt", "margin", "grace")


def crossed(plain: Mapping[str, str], faulty: frozenset[str]) -> list[tuple[str, str]]:
    """What is wrong between keys that are fine by themselves: (the flat name it is told at, message). Not judged:
    what rests on a faulty one."""
    settings = settings_from(
        {name: text for name, text in plain.items() if name == "engine" or name.startswith(BEFORE)}
    )
    etcd = settings.etcd
    found: list[tuple[str, str]] = []
    if settings.engine == "etcd" and not etcd.endpoints and BEFORE + "endpoints" not in faulty:
        found.append(("engine", "the etcd engine needs endpoints in [runner.etcd], such as " + _example("endpoints")))
    for name, needed in (("cert_file", "key_file"), ("key_file", "cert_file"), ("password_file", "user")):
        if getattr(etcd, name) and not getattr(etcd, needed) and BEFORE + needed not in faulty:
            found.append((BEFORE + name, f"{name} needs {needed}"))
    given = [BEFORE + name for name in TIMES if BEFORE + name in plain]
    if given and not faulty.intersection([BEFORE + name for name in TIMES]):
        why = refusal(*[getattr(etcd, name) for name in TIMES])
        if why:
            found.append((_culprit(etcd, given), why))
    return found


def _culprit(etcd: EtcdSettings, given: list[str]) -> str:
    """Of the times that were given the first that alone among defaults is refused, else the first."""
    for name in given:
        own = name.removeprefix(BEFORE)
        alone = EtcdSettings(**{own: getattr(etcd, own)})
        if refusal(*[getattr(alone, each) for each in TIMES]):
            return name
    return given[0]


def _example(name: str) -> str:
    return next(prop.example for prop in ETCD if prop.name == name)


def type_of(prop: Property) -> Any:
    """What pydantic is to know of a key of this table, or of any other setting."""
    if prop.kind == "endpoints":
        return Annotated[Any, PlainValidator(_endpoints)]
    if prop.kind == "boolean":
        return Annotated[Any, PlainValidator(_boolean)]
    if prop.name == "prefix":
        return Annotated[Any, PlainValidator(_prefix)]
    return value_type(prop)


def _boolean(value: object) -> bool:
    known = {"true": True, "false": False}
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, bool):
        return word
    if isinstance(word, str) and word in known:
        return known[word]
    raise unexpected(KINDS["boolean"], value)


def _prefix(value: object) -> str:
    """Without a slash at its end."""
    text = value.strip().rstrip("/") if isinstance(value, str) else ""
    if not text.startswith("/") or not text.isprintable() or "//" in text:
        raise unexpected('a prefix of keys such as "/gds"', value)
    return text


def _endpoints(value: object) -> tuple[str, ...]:
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or not all(isinstance(each, str) for each in listed):
        raise unexpected(KINDS["endpoints"], value)
    return tuple(dict.fromkeys([_endpoint(each.strip()) for each in listed]))


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # no number, or too large, or brackets that do not close
        raise unexpected("a URL with a port such as " + _URL, text) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port or not text.isprintable():
        raise unexpected("a URL with a port such as " + _URL, text)
    if parts.username is not None:
        raise refused(f"no name and password belong into the URL of {parts.hostname}: use user and password_file")
    if parts.path.strip("/") or parts.query or parts.fragment or " " in text or "," in text:
        raise unexpected("a URL that ends with the port such as " + _URL, text)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


_URL = '"https://etcd1:2379"'
