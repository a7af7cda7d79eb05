"""Meta-data: what the agent takes and does, in XML, from the one table of properties (gds/model/properties.py).

Two forms. The default satisfies the DTD of OCF 1.0, by which `ocf-tester` judges. Whoever asks with OCF_RA_VERSION 1.1
in the environment gets what 1.1 adds: which parameters are reloadable (the properties that are tunable ANYTIME), the
words of a choice, and `reload-agent`.
"""

from __future__ import annotations

from gds.model.properties import SETTINGS, Tunable, by_name, default_of
from gds.ocf.asked import RUNTIME, STATE
from gds.ocf.chosen import SETTABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gds.model.properties import Property

_LONG = """Runs what a gds descriptor declares. gds follows every process, probes, restarts within retry_count per
retry_interval, and when that is spent tells Pacemaker at once that the resource has failed; so set
migration-threshold=1 and failure-timeout to the group's pingpong_interval. `gds convert --to pcs FILE` prints the
commands for a descriptor. `gds status` on the node shows what runs, and why."""
_TYPES = {"boolean": "boolean", "integer": "integer"}
_START = by_name(tuple(SETTABLE.values()))


class _Parameter:
    """One parameter; `unique`: no two resources on a node may have the same value."""

    def __init__(
        self,
        name: str,
        short: str,
        long: str,
        kind: str = "string",
        default: str = "",
        required: bool = False,
        unique: bool = False,
        reloadable: bool = False,
        words: tuple[str, ...] = (),
    ) -> None:
        self.name, self.short, self.long, self.kind, self.default = name, short, long, kind, default
        self.required, self.unique, self.reloadable, self.words = required, unique, reloadable, words


def parameters() -> list[_Parameter]:
    """All of them: the agent's own, then the properties of a resource."""
    settings = by_name(SETTINGS)
    own = [
        _Parameter(
            "config",
            "The descriptor",
            "Path of the descriptor, or of a directory of them; the same on every node.",
            required=True,
        ),
        _Parameter(
            "resource",
            "Only this group or resource",
            "A group or a resource of the descriptor: only that is run. Without it, everything. A descriptor with"
            " several groups makes one Pacemaker resource for each.",
        ),
        _Parameter(
            "runtime_dir",
            settings["runtime_dir"].help,
            f"{settings['runtime_dir'].help} Default: {RUNTIME}INSTANCE.",
            unique=True,
        ),
        _Parameter(
            "state_dir",
            settings["state_dir"].help,
            f"{settings['state_dir'].help} Default: {STATE}INSTANCE.",
            unique=True,
        ),
        _Parameter(
            "revision",
            "Change it to have the descriptor read again",
            "Any text. When it changes, every node reads its descriptor again and touches only what changed there.",
            reloadable=True,
        ),
    ]
    return own + [_of_property(each) for each in SETTABLE.values()]


def _of_property(prop: Property) -> _Parameter:
    default = default_of(prop)
    shown = f" Without it and in the descriptor: {_plain(default)}." if default not in (None, "") else ""
    return _Parameter(
        prop.name,
        prop.help.partition(". ")[0].rstrip("."),
        f"{prop.help} Stronger than the descriptor, which must have one resource (or name one with resource).{shown}",
        _TYPES.get(prop.kind, "string"),
        reloadable=prop.tunable is Tunable.ANYTIME,
        words=prop.words,
    )


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def document(newer: bool) -> str:
    """The XML; `newer`: the form of OCF 1.1."""
    from gds import __version__

    start, stop = (float(default_of(_START[name])) for name in ("start_timeout", "stop_timeout"))
    actions = [
        f'<action name="start" timeout="{start + 20:g}s"/>',
        f'<action name="stop" timeout="{stop + 20:g}s"/>',
        '<action name="monitor" timeout="40s" interval="10s" depth="0"/>',
        '<action name="monitor" timeout="60s" interval="60s" depth="10"/>',
        *(['<action name="reload-agent" timeout="320s"/>'] if newer else []),
        '<action name="validate-all" timeout="320s"/>',
        '<action name="meta-data" timeout="10s"/>',
    ]
    lines = [
        '<?xml version="1.0"?>',
        *([] if newer else ['<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">']),
        f'<resource-agent name="app" version="{__version__}">',
        f"<version>{'1.1' if newer else '1.0'}</version>",
        f'<longdesc lang="en">\n{_LONG}\n</longdesc>',
        '<shortdesc lang="en">An application under gds</shortdesc>',
        "<parameters>",
        *[_parameter(each, newer) for each in parameters()],
        "</parameters>",
        "<actions>",
        *actions,
        "</actions>",
        "</resource-agent>",
    ]
    return "\n".join(lines) + "\n"


def _parameter(each: _Parameter, newer: bool) -> str:
    marks = ' required="1"' if each.required else ""
    if each.unique:
        marks += f' unique-group="{each.name}"' if newer else ' unique="1"'
    if newer and each.reloadable:
        marks += ' reloadable="1"'
    content = f'<content type="{each.kind}"/>'
    if newer and each.words:
        options = "".join([f'<option value="{_escaped(word)}"/>' for word in each.words])
        content = f'<content type="select">{options}</content>'
    return (
        f'<parameter name="{each.name}"{marks}>\n<longdesc lang="en">{_escaped(each.long)}</longdesc>\n'
        f'<shortdesc lang="en">{_escaped(each.short)}</shortdesc>\n{content}\n</parameter>'
    )


def _escaped(text: str) -> str:
    for plain, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(plain, written)
    return text
