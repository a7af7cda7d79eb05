"""gds explain: what any word means. gds schema: the JSON schema of descriptors."""

from __future__ import annotations

import json
import sys

from gds.cli import options
from gds.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

USAGE = """usage: gds explain [WORD...] [--json]

A key of a descriptor, a setting, a state, a status, an exit status (`gds explain exit 75`), a decision, a warning's
code, a variable: what it means, its values, its default, when it may be changed. Without WORD: all of them."""

SCHEMA_USAGE = """usage: gds schema [--editor]

The JSON schema of a descriptor, draft 2020-12; with --editor in draft 4, for taplo, tombi and editors that use them:

    gds schema --editor > gds.schema.json      and as the first line of a descriptor:  #:schema ./gds.schema.json"""

WIDTH = 100


@options.door(USAGE, USAGE)
def main(argv: list[str]) -> int:
    """Explain the word in `argv`, or list all; 4 when nobody knows it."""
    typed = options.parse(argv, {"--json": "json"}, {})
    from gds.config import explain

    word = " ".join([*typed.names, *(typed.after or [])])
    if not word:
        _list(explain.all_words(), "json" in typed.flags)
        return 0
    found = explain.meanings(word)
    if not found:
        close = explain.suggestion(word)
        hint = f"; did you mean {close}?" if close else " (gds explain lists all words)"
        print(f"gds: cannot explain {word}: no such word{hint}", file=sys.stderr)
        return 4
    if "json" in typed.flags:
        print(json.dumps({"schema": 1, "meanings": found}, indent=1))
    else:
        print("\n\n".join([_shown(each) for each in found]))
    return 0


@options.door(SCHEMA_USAGE, SCHEMA_USAGE)
def schema(argv: list[str]) -> int:
    """Print the schema."""
    typed = options.parse(argv, {"--editor": "editor", "--json": "json"}, {})
    if typed.names or typed.after:
        raise UsageError("cannot print a schema of something: there is only one")
    from gds.config.schema import document_schema, editor_schema

    made = editor_schema() if "editor" in typed.flags else document_schema()
    print(json.dumps(made, indent=1))
    return 0


def _list(words: dict[str, list[tuple[str, str]]], as_json: bool) -> None:
    if as_json:
        topics = {topic: dict(pairs) for topic, pairs in words.items()}
        print(json.dumps({"schema": 1, "topics": topics}, indent=1))
        return
    for topic, pairs in words.items():
        print(topic)
        for word, text in pairs:
            print(f"  {word:<37} {_short(text, WIDTH - 40)}")
        print()


def _short(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1].rstrip() + "…"


def _shown(meaning: dict[str, Any]) -> str:
    import textwrap

    lines = [f"{meaning['word']}   ({meaning['topic']})"]
    if meaning.get("supported") is False:
        lines.append("  not supported yet")
    lines.extend(textwrap.wrap(meaning["text"], WIDTH, initial_indent="  ", subsequent_indent="  "))
    for key in ("value", "bounds", "default", "tunable", "sun", "variable", "example"):
        if key in meaning:
            indent = " " * 12
            lines.extend(textwrap.wrap(f"  {key + ':':<10}{meaning[key]}", WIDTH, subsequent_indent=indent))
    lines.extend([f"  {each['word']:<20} {_short(each['text'], WIDTH - 23)}" for each in meaning.get("keys", ())])
    return "\n".join(lines)
