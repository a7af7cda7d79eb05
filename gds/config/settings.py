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

from gds.config.etcdtable import crossed, type_of
from gds.config.facts import answer
from gds.config.files import FileFault, read_trusted
from gds.config.load import Problem, Unreadable, decode, parse, shown_keys
from gds.config.places import settings_file, variables
from gds.config.positions import Keys, Positions
from gds.config.refusal import nearest, shown
from gds.model.properties import ETCD as ETCD_TABLE
from gds.model.properties import SETTINGS, by_name, default_of
from gds.model.settings import ETCD, NAMES, flag_of, plain_text, variable_of
from gds.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLES = {"": by_name(SETTINGS), ETCD: by_name(ETCD_TABLE)}
"""The keys of `[runner]` and of `[runner.etcd]`, under what their flat names begin with."""


class Given(Value):
    """The settings that were given. `content` is that of the settings file, None when there is none, and `from_file`
    what it alone says."""

    values: dict[str, str]
    problems: tuple[Problem, ...] = ()
    content: bytes | None = None
    from_file: dict[str, str] = {}  # noqa: RUF012 (a default that nobody changes)
    is_whole: bool = True
    """What the file says would do without environment and flags, so it may be kept."""
    crossed: tuple[Problem, ...] = ()
    """Of the problems those between keys: what is missing in the file, a variable may give."""


def load_settings(flags: Mapping[str, Any], environ: Mapping[str, str], euid: int) -> Given:
    """What the settings file, the environment and the flags say, merged and checked."""
    path = settings_file(environ)
    if not path:
        return _merged(_InFile("", ""), flags, environ)
    try:
        content = read_trusted(path, euid)
    except FileFault as error:
        return Given({}, (Problem(path, 0, 0, "", str(error)),))
    try:
        text = decode(content)
        data = parse(text)
    except Unreadable as error:
        return Given({}, (Problem(path, error.line, error.column, error.key, str(error)),), content)
    in_file = _InFile(path, text)
    in_file.read(data)
    merged = _merged(in_file, flags, environ)
    alone = _merged(in_file, {}, {})
    problems = [*in_file.problems, *merged.problems]
    # A fault in the file is told also where something stronger hides it.
    problems.extend([p for p in alone.problems if p not in problems and p not in alone.crossed])
    return Given(merged.values, tuple(problems), content, alone.values, not alone.problems)


class _InFile:
    """`[runner]` of the settings file under flat names (model/settings.py), and where each was written."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.positions = Positions(text)
        self.values: dict[str, Any] = {}
        self.spelled: dict[str, Keys] = {}
        self.problems: list[Problem] = []

    def read(self, data: dict[str, Any]) -> None:
        """All of the file."""
        for key, value in data.items():
            if key.lower() == "runner":
                if isinstance(value, dict):
                    self._take(value, (key,), "")
                else:
                    self._wrong((key,), f"expected a table [runner], not {shown(value)}", False)
            elif key != "$schema":
                misplaced = key.lower() in ("resource", "group")
                text = "[resource] and [group] belong into descriptors" if misplaced else "unknown key"
                self._wrong((key,), f"{text}; expected [runner]")

    def told(self, name: str, message: str, on_key: bool) -> Problem:
        """A problem with a value."""
        return self._told(self.spelled[name], message, on_key)

    def _take(self, table: dict[str, Any], above: Keys, before: str) -> None:
        seen = set()
        for key, value in table.items():
            keys, name = (*above, key), before + key.lower()
            if name in seen:
                self._wrong(keys, "given twice, in different capitalisation")
            seen.add(name)
            if name == "etcd" and isinstance(value, dict):
                self._take(value, keys, ETCD)
            elif name == "etcd":
                self._wrong(keys, f"expected a table [runner.etcd], not {shown(value)}", False)
            elif not before and name.startswith(ETCD) and name in NAMES:
                self._wrong(keys, f"unknown key; it is {name.removeprefix(ETCD)} in [runner.etcd]")
            else:
                self.spelled[name] = keys
                self.values[name] = value

    def _wrong(self, keys: Keys, message: str, on_key: bool = True) -> None:
        self.problems.append(self._told(keys, message, on_key))

    def _told(self, keys: Keys, message: str, on_key: bool) -> Problem:
        place = self.positions.place(self.positions.offset_of(keys, on_key))
        return Problem(self.path, place.line, place.column, shown_keys(keys), message)


def _merged(in_file: _InFile, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Given:
    variable = variables(environ)

    def told(key: str, message: str, on_key: bool) -> Problem:
        if key in flags:
            return Problem("command line", 0, 0, flag_of(key), message)
        if key in variable:
            return Problem("environment", 0, 0, variable_of(key), message)
        return in_file.told(key, message, on_key)

    problems = []
    faulty: frozenset[str] = frozenset()
    sources: list[Mapping[str, Any]] = [flags, variable, in_file.values]
    try:
        made = _model(variable, in_file.values)(**flags)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            key = str(detail["loc"][0])
            faulty |= {key}
            problems.append(told(key, _message(key, detail), detail["type"] == "extra_forbidden"))
        # without those, for what the others say together
        given, environment, file = [{k: v for k, v in each.items() if k not in faulty} for each in sources]
        made = _model(environment, file)(**given)
    values = {key: plain_text(value) for key, value in made.model_dump(exclude_unset=True).items()}
    group = values.get("socket_group", "")
    said = answer(("group", group)) if group else ""
    if said:
        problems.append(told("socket_group", f"group {group} {said}", False))
    crossed_ = tuple([told(key, message, False) for key, message in crossed(values, faulty)])
    return Given({} if faulty else values, (*problems, *crossed_), crossed=crossed_)


def _message(key: str, detail: ErrorDetails) -> str:
    if detail["type"] == "gds":
        return str(detail["ctx"]["text"])
    if detail["type"] == "extra_forbidden":
        before = ETCD if key.startswith(ETCD) else ""
        known, word = _TABLES[before], key.removeprefix(before)
        if word in known:
            return _lowered(known[word].help)
        close = nearest(word, known)
        return "unknown key" + (f"; did you mean {close}?" if close else f"; known: {', '.join(known)}")
    return f"expected a string, not {shown(detail['input'])}"


def _lowered(text: str) -> str:
    """A sentence behind a colon."""
    return text[:1].lower() + text[1:].rstrip(".")


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
        before + p.name: (type_of(p), default_of(p))
        for before, table in _TABLES.items()
        for p in table.values()
        if p.supported and p.kind != "table"
    }
    return create_model("RunnerSettings", __base__=Sources, **fields)


class _Variables(EnvSettingsSource):
    """The variables that were handed in, not those of the process."""

    def __init__(self, model: type[BaseSettings], variable: dict[str, str]) -> None:
        self._variable = variable
        super().__init__(model)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {f"gds_{name}": value for name, value in self._variable.items()}
