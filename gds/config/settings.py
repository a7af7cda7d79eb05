"""The runner's own settings: `[runner]` of gds.toml, GDS_… variables, flags, in rising order of strength.

pydantic-settings merges and checks them; every fault says which of the three it came from. What nobody gave is filled
in by `places.py`. Other GDS_ variables are none of our business: a command of ours that starts a runner hands it a
dozen.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError, create_model
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from gds.config.document import value_type
from gds.config.facts import answer
from gds.config.files import FileFault, read_trusted
from gds.config.load import Problem, Unreadable, decode, parse, shown_keys
from gds.config.places import settings_file, variables
from gds.config.positions import Keys, Positions
from gds.config.refusal import NOT_YET, nearest, shown
from gds.model.properties import SETTINGS, by_name, default_of
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = by_name(SETTINGS)


class Given(Value):
    """The settings that were given. `content` is that of the settings file, None when there is none, and `from_file`
    what it alone says."""

    values: dict[str, str]
    problems: tuple[Problem, ...] = ()
    content: bytes | None = None
    from_file: dict[str, str] = {}  # noqa: RUF012 (a default that nobody changes)


def load_settings(flags: Mapping[str, Any], environ: Mapping[str, str], euid: int) -> Given:
    """What the settings file, the environment and the flags say, merged and checked."""
    path = settings_file(environ)
    if not path:
        return _merged({}, {}, "", Positions(""), flags, environ)
    try:
        content = read_trusted(path, euid)
    except FileFault as error:
        return Given({}, (Problem(path, 0, 0, "", str(error)),))
    try:
        text = decode(content)
        data = parse(text)
    except Unreadable as error:
        return Given({}, (Problem(path, error.line, error.column, error.key, str(error)),), content)
    runner: object = {}
    problems: list[Problem] = []
    spelled: dict[str, Keys] = {}
    positions = Positions(text)

    def problem(keys: Keys, message: str, on_key: bool = True) -> None:
        place = positions.place(positions.offset_of(keys, on_key))
        problems.append(Problem(path, place.line, place.column, shown_keys(keys), message))

    for key, value in data.items():
        if key.lower() == "runner":
            runner = value
            runner_key = key
        elif key != "$schema":
            text = (
                "[resource] and [group] belong into descriptors"
                if key.lower() in ("resource", "group")
                else "unknown key"
            )
            problem((key,), f"{text}; expected [runner]")
    if not isinstance(runner, dict):
        problem((runner_key,), f"expected a table [runner], not {shown(runner)}", False)
        runner = {}
    lowered: dict[str, Any] = {}
    for key, value in runner.items():
        if key.lower() in lowered:
            problem((runner_key, key), "given twice, in different capitalisation")
        spelled[key.lower()] = (runner_key, key)
        lowered[key.lower()] = value
    merged = _merged(lowered, spelled, path, positions, flags, environ)
    alone = _merged(lowered, spelled, path, positions, {}, {})
    problems.extend(merged.problems)
    # A fault in the file is told also where something stronger hides it.
    problems.extend([p for p in alone.problems if p not in problems])
    return Given(merged.values, tuple(problems), content, alone.values)


def _merged(
    from_file: dict[str, Any],
    spelled: dict[str, Keys],
    path: str,
    positions: Positions,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
) -> Given:
    variable = variables(environ)

    def told(key: str, message: str, on_key: bool) -> Problem:
        if key in flags:
            return Problem("command line", 0, 0, "--" + key.replace("_", "-"), message)
        if key in variable:
            return Problem("environment", 0, 0, f"GDS_{key.upper()}", message)
        place = positions.place(positions.offset_of(spelled[key], on_key))
        return Problem(path, place.line, place.column, shown_keys(spelled[key]), message)

    try:
        made = _model(variable, from_file)(**flags)
    except ValidationError as error:
        problems = []
        for detail in error.errors(include_url=False):
            key = str(detail["loc"][0])
            problems.append(told(key, _message(key, detail), detail["type"] == "extra_forbidden"))
        return Given({}, tuple(problems))
    values = {key: str(value) for key, value in made.model_dump(exclude_unset=True).items()}
    group = values.get("socket_group", "")
    said = answer(("group", group)) if group else ""
    return Given(values, (told("socket_group", f"group {group} {said}", False),) if said else ())


def _message(key: str, detail: ErrorDetails) -> str:
    if detail["type"] == "gds":
        return str(detail["ctx"]["text"])
    if detail["type"] == "extra_forbidden":
        if key in _KEYS:
            return f"{key} is {NOT_YET}"
        close = nearest(key, _KEYS)
        return "unknown key" + (f"; did you mean {close}?" if close else f"; known: {', '.join(_KEYS)}")
    return f"expected a string, not {shown(detail['input'])}"


def _model(variable: dict[str, str], from_file: dict[str, Any]) -> type[BaseSettings]:
    """The settings as pydantic-settings sees them, fed by these sources alone."""

    class Sources(BaseSettings):
        model_config = SettingsConfigDict(extra="forbid", strict=True, env_prefix="GDS_", validate_default=False)

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, _Variables(settings_cls, variable), InitSettingsSource(settings_cls, from_file)

    fields: dict[str, Any] = {
        p.name: (value_type(p), default_of(p)) for p in SETTINGS if p.supported and p.kind != "table"
    }
    return create_model("RunnerSettings", __base__=Sources, **fields)


class _Variables(EnvSettingsSource):
    """The variables that were handed in, not those of the process."""

    def __init__(self, model: type[BaseSettings], variable: dict[str, str]) -> None:
        self._variable = variable
        super().__init__(model)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {f"gds_{name}": value for name, value in self._variable.items()}
