"""What a declaration of a setting is: its kind, its default as text, a line of why, its names.

A default is text and is read like a user's own, so that documentation can show it as it is
written. `settings` has the declarations; `one`, `many` and `declares` make them.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast

from promptdeck.core.text.jsontext import JSON, render

from .kinds import NOTHING, Kind, found

T = TypeVar("T")


class Setting(NamedTuple):
    """All there is to know of one setting."""

    kind: Kind[Any]
    default: str
    """As a user would write it."""
    why: str
    """One line of documentation, after which no full stop stands."""
    flag: str = ""
    """Such as `--log-level`; empty for none."""
    default_in_ci: str = ""
    """The default in continuous integration, where it is another one."""
    secret: bool = False
    """Never shown: not in an error, nor by `config show`, nor in a repr."""
    many: bool = False
    """Its value is a list, of which `kind` is one item."""
    fields: "Mapping[str, Setting]" = MappingProxyType({})
    """Those of the sections that it holds by names of the user's own."""
    path: str = ""
    """Such as `log.level`: section and key."""

    @property
    def is_mapping(self) -> bool:
        """True where the value is a mapping, which a variable gives as YAML."""
        return not self.many and self.kind.accepts == (dict,)

    @property
    def variable(self) -> str:
        """The environment's variable: `PROMPTDECK_LOG_LEVEL`."""
        return "PROMPTDECK_" + self.path.upper().replace(".", "_")

    @property
    def parameter(self) -> str:
        """The flag as click hands it over: `log_level`."""
        return self.flag.removeprefix("--").replace("-", "_")

    def read(self, raw: object, place: str) -> Any:
        """The typed value of what a file or a variable says; ValueError begins with `place`."""
        if not self.many:
            return self.kind.take({} if self.is_mapping and raw in NOTHING else raw, place)
        if self.kind.alone and isinstance(raw, str) and raw:
            raw = [raw]
        if isinstance(raw, list):
            return tuple(self.kind.take(item, f"{place}[{i}]") for i, item in enumerate(raw))
        raise ValueError(f"{place}: expected a list, found {found(raw)}")

    def write(self, value: Any) -> str:
        """A typed value as text, as it would stand in the file."""
        if self.many:
            return render([self.kind.write(item) for item in value], "spaced")
        if self.is_mapping:
            return render(self.kind.write(value), "spaced")
        return str(self.kind.write(value))

    def default_in(self, environ: Mapping[str, str]) -> tuple[Any, str]:
        """The default's typed value in an environment, and what to call its source."""
        text, source = self.default, "default"
        if self.default_in_ci and in_ci(environ):
            text, source = self.default_in_ci, "default under CI"
        if self.is_mapping:
            return self.read({}, source), source
        return self.read([] if self.many else fill(text, environ), source), source


class Given(NamedTuple):
    """A setting as a file, a variable or a flag gives it, not yet read."""

    setting: Setting
    raw: Any
    """Text; or a list of texts and of flat mappings; or a mapping, where the setting is one."""
    source: str
    """`promptdeck.yaml:3`, `PROMPTDECK_MODE` or `--mode`."""


def in_ci(environ: Mapping[str, str]) -> bool:
    """True if this runs in continuous integration, where nothing is recorded unasked.

    GitHub, GitLab and CircleCI set CI to `true`, others to `1`.
    """
    return environ.get("CI", "").lower() in ("true", "1")


_PLACEHOLDER = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^{}]*))?\})?")


def fill(text: str, environ: Mapping[str, str]) -> str:
    """Replace `${NAME}` and `${NAME:-default}` as a shell does; `$${` stands for a plain `${`.

    ValueError for a name that is not set and has no default, and for `${` that is neither form.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if match[0] == "$${":
            return "${"
        if name is None:
            raise ValueError("write ${NAME} or ${NAME:-default}, or $${ for a plain ${")
        if default is not None:
            # Also for an empty variable, which is what `:-` means to a shell.
            return environ.get(name) or str(default)
        if name not in environ:
            raise ValueError(f"{name} is not in the environment; set it or write ${{{name}:-}}")
        return environ[name]

    return _PLACEHOLDER.sub(value, text)


# Both say to mypy that a declaration is a value, so that each field has its true type;
# `declares` puts the value there.
def one(
    kind: Kind[T],
    default: str,
    why: str,
    *,
    flag: str = "",
    default_in_ci: str = "",
    secret: bool = False,
) -> T:
    """Declare a setting with one value."""
    return cast("T", Setting(kind, default, why, flag, default_in_ci, secret))


def many(kind: Kind[T], why: str) -> tuple[T, ...]:
    """Declare a setting that is a list, empty by default."""
    return cast("tuple[T, ...]", Setting(kind, "[]", why, many=True))


def mapping(kind: Kind[T], why: str, *, secret: bool = False) -> T:
    """Declare a setting that is a mapping, empty by default."""
    return cast("T", Setting(kind, "{}", why, secret=secret))


def named(section: type[T], name: Kind[str], why: str) -> Mapping[str, T]:
    """Declare a setting that holds sections of one type by names of the user's own.

    The type is one that `declares` has made; none of its settings has a flag or a variable.
    """
    fields: Mapping[str, Setting] = cast("Any", section)._field_defaults

    def within(raw: Mapping[str, Any], place: str) -> Mapping[str, T]:
        return {
            name.take(key, place): _section(section, fields, entry, f"{place}.{key}")
            for key, entry in raw.items()
        }

    def write(sections: Mapping[str, T]) -> JSON:
        return {key: _shown_section(fields, one) for key, one in sections.items()}

    kind: Kind[Mapping[str, T]] = Kind(
        "a mapping of names", lambda raw: raw, write, (dict,), within=within
    )
    return cast("Mapping[str, T]", Setting(kind, "{}", why, fields=fields))


def _section(section: type[T], fields: Mapping[str, Setting], raw: Any, place: str) -> T:
    """A section of these fields as a user has written it. ValueError with the field's place."""
    if isinstance(raw, str) and raw in NOTHING:
        raw = {}
    if not isinstance(raw, dict):
        keys = ", ".join(fields)
        raise ValueError(  # noqa: TRY004  as all that is wrong with a value
            f"{place}: expected settings below it ({keys}), found {found(raw)}"
        )
    for key in raw:
        if key not in fields:
            import difflib  # 10 ms, and only where something is misspelt

            near = difflib.get_close_matches(key, fields, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(fields)}"
            raise ValueError(f"{place}.{key} is not a setting; {hint}")
    values = {key: fields[key].read(value, f"{place}.{key}") for key, value in raw.items()}
    return section(**values)


def _shown_section(fields: Mapping[str, Setting], section: Any) -> JSON:
    """What a section says beside its defaults, to be shown: secrets are not."""
    said: dict[str, JSON] = {}
    for key, setting in fields.items():
        value = getattr(section, key)
        if value == setting.default_in({})[0]:
            continue
        if setting.secret:
            said[key] = NOT_SHOWN
        elif setting.many:
            said[key] = [setting.kind.write(item) for item in value]
        else:
            written = setting.kind.write(value)
            said[key] = written if setting.is_mapping else str(written)
    return said


NOT_SHOWN = "(set, not shown)"
"""Stands where a secret is."""


def declares(declaring: type[T]) -> type[T]:
    """Of a section of declarations make one whose defaults are values; `_field_defaults` stays.

    Secrets are kept out of the repr.
    """
    made = cast("Any", declaring)
    declared = made._field_defaults
    made.__new__.__defaults__ = tuple(map(_default, declared.values()))
    public = [name for name, item in declared.items() if not getattr(item, "secret", False)]

    def shown(self: T) -> str:
        values = (f"{name}={getattr(self, name)!r}" for name in public)
        return f"{declaring.__name__}({', '.join(values)})"

    made.__repr__ = shown
    return declaring


def _default(declared: Any) -> Any:
    """A declaration's default in an empty environment; what is a section already, as it is."""
    return declared.default_in({})[0] if isinstance(declared, Setting) else declared
