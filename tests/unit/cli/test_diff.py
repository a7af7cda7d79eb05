"""What `gds diff --cluster` prints."""

from __future__ import annotations

from gds.cli.get import between_nodes


def test_a_key_that_differs_and_what_a_node_does_not_declare_at_all() -> None:
    nodes = {"n1": "5", "n2": ""}
    said = between_nodes({"name": "[resource.web]", "key": "retry_count", "nodes": nodes})
    assert said == "[resource.web]: retry_count differs: n1: 5, n2: not given"
    said = between_nodes({"name": "[group.web]", "key": "", "nodes": {"n1": "declared", "n2": ""}})
    assert said == "[group.web]: n1: declared, n2: not declared"
