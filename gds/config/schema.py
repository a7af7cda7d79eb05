"""JSON schema of a descriptor: what pydantic says of the tables, with what only we know added.

`document_schema()` is draft 2020-12. `editor_schema()` is the same in draft 4, which taplo reads: definitions instead
of $defs, and nothing that draft 4 lacks. Keys stand in lower case only, though any capitalisation is accepted: an
editor should offer one spelling.
"""

from __future__ import annotations

from typing import Any

from gds.config.document import GROUP_TABLE, RESOURCE_TABLE
from gds.config.values import NAME_PATTERN
from gds.model.names import ADDRESS_TYPES
from gds.model.properties import GROUP, RESOURCE, default_of

_DRAFT_4 = "http://json-schema.org/draft-04/schema#"
_BY_RULE = ("network_aware", "rg_mode")
"""Keys whose default follows from another key."""
_ADDRESS = {"enum": list(ADDRESS_TYPES)}
_DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"


def document_schema() -> dict[str, Any]:
    """The schema of one file, draft 2020-12."""
    definitions: dict[str, Any] = {}
    for adapter in (RESOURCE_TABLE, GROUP_TABLE):
        made = adapter.json_schema(ref_template="#/$defs/{model}")
        definitions.update(made.pop("$defs", {}))
        definitions[made["title"]] = made
    resource = definitions["ResourceTable"]
    for table, props in ((resource, RESOURCE), (definitions["GroupTable"], GROUP)):
        for prop in props:
            default = default_of(prop)
            plain = isinstance(default, (bool, int, float, str)) and default != "" and prop.name not in _BY_RULE
            if prop.name in table["properties"] and plain:
                table["properties"][prop.name]["default"] = int(default) if default == -1 else default
    alone = {name: {"$ref": f"#/$defs/ResourceTable/properties/{name}"} for name in resource["properties"]}
    groups = {"type": "object", "patternProperties": {NAME_PATTERN: {"$ref": "#/$defs/GroupTable"}}}
    resource["anyOf"] = [
        {"required": ["start_command"], "not": {"required": ["type"], "properties": {"type": _ADDRESS}}},
        {
            "required": ["type", "hostnamelist"],
            "properties": {"type": _ADDRESS},
            "not": {"required": ["start_command"]},
        },
    ]
    return {
        "$schema": _DRAFT_2020,
        "title": "A descriptor of gds",
        "description": "Applications that gds keeps alive: tables [resource.NAME], or one resource at top level.",
        "type": "object",
        "properties": {
            **alone,
            "$schema": {"type": "string", "description": "Ignored; for editors."},
            "resource": {
                "type": "object",
                "description": "[resource.NAME]: one application with its properties.",
                "patternProperties": {NAME_PATTERN: {"$ref": "#/$defs/ResourceTable"}},
                "additionalProperties": False,
            },
            "group": {
                "description": "[group.NAME]: a set of resources; at top level: the group of the one resource.",
                "anyOf": [{**groups, "additionalProperties": False}, alone["group"]],
            },
        },
        "additionalProperties": False,
        "anyOf": [*resource["anyOf"], {"required": ["resource"]}, {"required": ["group"]}],
        "$defs": definitions,
    }


def editor_schema() -> dict[str, Any]:
    """The same in draft 4."""
    schema: dict[str, Any] = _draft_4(document_schema())
    schema["$schema"] = _DRAFT_4
    return schema


def _draft_4(node: Any) -> Any:
    if isinstance(node, list):
        return [_draft_4(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {}
    for key, value in node.items():
        if key == "$ref":
            made[key] = value.replace("#/$defs/", "#/definitions/")
        else:
            made["definitions" if key == "$defs" else key] = _draft_4(value)
    return made
