"""Every setting, declared once, and the tree of frozen values that they make.

A default is text and is read like a user's own, so that documentation can show it as it is
written. `Config()` holds the defaults as they are in an empty environment. Named tuples,
as a frozen dataclass takes 0.7 ms to make and a start has to wait for it.

To add a setting, give its section a field: `name: type = _one(kind, default, why)`. The YAML
key, the variable, the flag, `config show`, config.example.yaml and README's table follow;
tests compare the last two with the code (`REGENERATE=1` writes them).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, cast

from promptdeck.core.matching.rules import Rules
from promptdeck.core.policy import Mode
from promptdeck.core.secrets.redact import UserPattern
from promptdeck.core.text.jsontext import render

from . import kinds
from .kinds import Kind, Provider, choice, found

if TYPE_CHECKING:
    from promptdeck.core.faults.plan import Plan

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
    path: str = ""
    """Such as `log.level`: section and key."""

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
            return self.kind.take(raw, place)
        if isinstance(raw, list):
            return tuple(self.kind.take(item, f"{place}[{i}]") for i, item in enumerate(raw))
        raise ValueError(f"{place}: expected a list, found {found(raw)}")

    def write(self, value: Any) -> str:
        """A typed value as text, as it would stand in the file."""
        if self.many:
            return render([self.kind.write(item) for item in value], "spaced")
        return str(self.kind.write(value))

    def default_in(self, environ: Mapping[str, str]) -> tuple[Any, str]:
        """The default's typed value in an environment, and what to call its source."""
        text, source = self.default, "default"
        if self.default_in_ci and in_ci(environ):
            text, source = self.default_in_ci, "default under CI"
        return self.read([] if self.many else fill(text, environ), source), source


class Given(NamedTuple):
    """What a file, a variable or a flag says of a setting, not yet read."""

    setting: Setting
    raw: Any
    """Text; or a list of texts and of flat mappings."""
    source: str
    """`promptdeck.yaml:3`, `PROMPTDECK_MODE` or `--mode`."""


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether this runs in continuous integration, where nothing is recorded unasked.

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
# `_declares` puts the value there.
def _one(
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


def _many(kind: Kind[T], why: str) -> tuple[T, ...]:
    """Declare a setting that is a list, empty by default."""
    return cast("tuple[T, ...]", Setting(kind, "[]", why, many=True))


def _declares(declaring: type[T]) -> type[T]:
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


@_declares
class ServerSection(NamedTuple):
    """Where promptdeck listens."""

    host: str = _one(kinds.HOST, "127.0.0.1", "address to listen on", flag="--host")
    # None of those that development servers take by themselves (3000, 5000, 8000, 8080).
    port: int = _one(kinds.PORT, "4141", "port to listen on; 0 takes a free one", flag="--port")
    # OpenAI takes 50 MB of images in one request.
    max_body: int = _one(kinds.SIZE, "64 MiB", "largest request that is accepted")
    # As long as `docker stop` waits before it kills.
    shutdown_timeout: float = _one(
        kinds.DURATION, "10s", "how long a shutdown waits for recordings under way"
    )
    # What WHATWG's HTML (9.2.7) advises against proxies that drop silent connections.
    keep_alive: float | None = _one(
        kinds.LIMIT, "15s", "after so much silence of upstream a stream gets a comment"
    )


@_declares
class UpstreamSection(NamedTuple):
    """The provider behind promptdeck."""

    url: str = _one(
        kinds.URL,
        "https://api.openai.com/v1",
        "base URL of the provider; without a path it gets /v1",
        flag="--upstream",
    )
    api_key: str | None = _one(
        kinds.SECRET,
        "none",
        "sent where a client brings no key of its own; best written ${OPENAI_API_KEY:-}",
        secret=True,
    )
    # Linux sends a SYN that is lost again after 1, 3 and 7 seconds.
    connect_timeout: float | None = _one(kinds.LIMIT, "10s", "longest wait for a connection")
    # The openai SDK's own limit: whoever waits longer has given up.
    read_timeout: float | None = _one(kinds.LIMIT, "10m", "longest silence between two bytes")
    providers: tuple[Provider, ...] = _many(
        kinds.PROVIDER,
        "providers that X-Provider may choose besides the built-in ones, each {name, url}",
    )


@_declares
class ContractSection(NamedTuple):
    """How requests are checked before they are answered or sent on."""

    strict: bool = _one(
        kinds.TRUTH, "false", "whether documented values and ranges are enforced, not only types"
    )


@_declares
class CassetteSection(NamedTuple):
    """Recordings as files, to keep beside the tests that use them."""

    name: str | None = _one(
        kinds.CASSETTE_NAME, "none", "cassette to record to and replay from", flag="--cassette"
    )
    dir: Path = _one(kinds.PATH, "cassettes", "folder of the cassettes", flag="--cassettes")


@_declares
class StoreSection(NamedTuple):
    """The local cache."""

    path: Path = _one(
        kinds.PATH,
        "${XDG_CACHE_HOME:-~/.cache}/promptdeck/store.db",
        "SQLite file of the cache",
        flag="--store",
    )
    ttl: float | None = _one(kinds.LIMIT, "none", "how long the cache may serve an answer")
    # Some 700,000 chats of 5 KB with their answers, which take 1.4 KB each when packed.
    max_bytes: int = _one(kinds.SIZE, "1 GiB", "largest size that the cache may grow to")


@_declares
class ReplaySection(NamedTuple):
    """How recorded answers are given."""

    pace: float = _one(
        kinds.PACE,
        "instant",
        "speed of replayed streams: instant, recorded, or a factor (2x is twice as fast)",
        flag="--pace",
    )
    """What recorded delays are divided by; infinity for `instant`."""
    after_last: Literal["repeat", "refuse"] = _one(
        choice("repeat", "refuse"),
        "repeat",
        "what follows the last of several recordings of one request: repeat it, or refuse",
    )
    expires: float | None = _one(
        kinds.LIMIT, "none", "how old a cassette's recording may grow before it counts as expired"
    )
    on_expired: Literal["warn", "fail", "record"] = _one(
        choice("warn", "fail", "record"),
        "warn",
        "expired recordings: warn, fail (in replay), or record again (record-missing, not in CI)",
    )
    faults: "Plan | None" = _one(
        kinds.FAULTS, "none", "how recorded answers are to go wrong, to try a client"
    )


@_declares
class RecordSection(NamedTuple):
    """What is kept of answers."""

    errors: bool = _one(kinds.TRUTH, "false", "whether record mode keeps error answers too")
    draws: int = _one(
        kinds.COUNT,
        "1",
        "how many answers of one request record-missing records before it repeats them",
        flag="--draws",
    )
    # An answer is held in memory until it is recorded.
    max_bytes: int = _one(kinds.SIZE, "32 MiB", "larger answers pass through and are not kept")
    finish_after_disconnect: bool = _one(
        kinds.TRUTH, "true", "whether a recording goes on when its client leaves"
    )


@_declares
class MatchSection(NamedTuple):
    """What does not count when two requests are compared."""

    ignore: tuple[str, ...] = _many(
        kinds.JSON_PATH, 'JSON paths left out of the comparison, such as ["$.metadata"]'
    )
    replace: tuple[str | Mapping[str, str], ...] = _many(
        kinds.REPLACEMENT,
        "text made equal: uuid, iso-time, date, or {pattern: REGEX, with: TEXT}",
    )

    @property
    def rules(self) -> Rules:
        """What both settings say, compiled."""
        return Rules.build(self.ignore, self.replace)


@_declares
class RedactSection(NamedTuple):
    """What never reaches a recording, besides the secrets that promptdeck knows."""

    patterns: tuple[UserPattern, ...] = _many(
        kinds.SECRET_SHAPE, "secrets of your own, each {name: NAME, pattern: REGEX}"
    )


@_declares
class LogSection(NamedTuple):
    """What promptdeck says on stderr."""

    level: Literal["debug", "info", "warning", "error"] = _one(
        choice("debug", "info", "warning", "error"),
        "info",
        "least severe message shown: debug, info, warning or error",
        flag="--log-level",
    )


@_declares
class Config(NamedTuple):
    """All settings of one server or session, in sections."""

    mode: Mode = _one(
        choice(*Mode),
        "cache",
        "passthrough, cache, record, record-missing or replay",
        flag="--mode",
        default_in_ci="replay",
    )
    server: ServerSection = ServerSection()
    upstream: UpstreamSection = UpstreamSection()
    contract: ContractSection = ContractSection()
    cassette: CassetteSection = CassetteSection()
    store: StoreSection = StoreSection()
    replay: ReplaySection = ReplaySection()
    record: RecordSection = RecordSection()
    match: MatchSection = MatchSection()
    redact: RedactSection = RedactSection()
    log: LogSection = LogSection()


SECTIONS: Mapping[str, Any] = {
    name: type(value)
    for name, value in Config._field_defaults.items()
    if not isinstance(value, Setting)
}
"""The type of each section, by name."""


def _settings() -> Iterator[Setting]:
    for outer, declared in Config._field_defaults.items():
        if isinstance(declared, Setting):
            yield declared._replace(path=outer)
            continue
        for inner, setting in SECTIONS[outer]._field_defaults.items():
            yield setting._replace(path=f"{outer}.{inner}")


SETTINGS: Mapping[str, Setting] = {item.path: item for item in _settings()}
"""Every setting by its path, in the order of the documentation."""


def assemble(values: Mapping[str, Any]) -> Config:
    """The `Config` that has, for the path of every setting, the value in `values`."""
    top = {path: value for path, value in values.items() if "." not in path}
    for name, section in SECTIONS.items():
        top[name] = section(*(values[f"{name}.{item}"] for item in section._fields))
    return Config(**top)


def nearest(path: str, sections: Iterable[str] = ()) -> str:
    """The path of the setting, or the section, that a misspelt `path` probably means.

    The empty string if nothing is near. `sections` are names that may be meant, too.
    """
    import difflib  # 10 ms, and only where something is misspelt

    names = {item.parameter: item.path for item in SETTINGS.values() if item.flag}
    names |= {name.replace(".", "_"): name for name in (*sections, *SETTINGS)}
    flat = path.lower().replace(".", "_")
    same_key = [name for name in names if name.endswith("_" + path.lower().rpartition(".")[2])]
    close = same_key or difflib.get_close_matches(flat, names, 1)
    return names[close[0]] if close else ""


def unknown(name: str, meant: str) -> str:
    """The problem with `name`, as a line of ConfigError; `meant` is what may be meant, or empty."""
    hint = f"did you mean {meant}?" if meant else "`promptdeck config show` lists them all"
    return f"{name} is not a setting; {hint}"
