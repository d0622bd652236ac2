"""Every setting, declared once, and the tree of frozen values that they make.

`Config()` holds the defaults as they are in an empty environment. Named tuples, as a frozen
dataclass takes 0.7 ms to make and a start has to wait for it.

The sections of where requests go are in `upstreams`; `NamedSection` stands in the tree as often as
the user names an upstream.

To add a setting, give its section a field: `name: type = one(kind, default, why)`. The YAML
key, the variable, the flag, `config show`, config.example.yaml and README's table follow;
tests compare the last two with the code (`REGENERATE=1` writes them).
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from promptdeck.core.matching.rules import Rules
from promptdeck.core.policy import Mode
from promptdeck.core.secrets.redact import UserPattern

from . import kinds, mappings
from .declaring import Setting, declares, many, mapping, named, one
from .kinds import choice
from .upstreams import UPSTREAM_NAME, NamedSection, RoutingSection, UpstreamSection

if TYPE_CHECKING:
    from promptdeck.core.faults.plan import Plan


@declares
class ServerSection(NamedTuple):
    """Where promptdeck listens, and to whom."""

    host: str = one(kinds.HOST, "127.0.0.1", "address to listen on", flag="--host")
    # None of those that development servers take by themselves (3000, 5000, 8000, 8080).
    port: int = one(kinds.PORT, "4141", "port to listen on; 0 takes a free one", flag="--port")
    hosts: tuple[str, ...] = many(
        kinds.HOST_NAME,
        "names of this server, besides localhost and where it listens, that a Host header may have;"
        " * is any",
    )
    origins: tuple[str, ...] = many(
        kinds.ORIGIN,
        "web pages, besides those of localhost, that may ask: origins such as"
        " https://app.example; * is any text",
    )
    token: str | None = one(
        kinds.SECRET,
        "none",
        "what each request must bring, as Authorization: Bearer TOKEN or X-Promptdeck-Token: TOKEN",
        secret=True,
    )
    allow_anyone: bool = one(
        kinds.TRUTH,
        "false",
        "whether other machines may be listened to without a token: all of them then ask with your"
        " key",
    )
    # OpenAI takes 50 MB of images in one request.
    max_body: int = one(kinds.SIZE, "52 MiB", "largest request that is accepted")
    # OpenAI takes 300,000 tokens in one request for embeddings, each a number; others wait some
    # 0.3 s while that many objects are read.
    max_values: int = one(
        kinds.NUMBER,
        "500000",
        "most commas and brackets in the JSON of a request: to read more would hold others up",
    )
    # As long as `docker stop` waits before it kills.
    shutdown_timeout: float = one(
        kinds.DURATION, "10s", "how long a shutdown waits for recordings under way"
    )
    # A thousand times what an expression takes that tries each text once.
    pattern_timeout: float = one(
        kinds.SPAN,
        "1s",
        "how long your own patterns (match.replace, redact.patterns) may compute for one request",
    )
    # What WHATWG's HTML (9.2.7) advises against proxies that drop silent connections.
    keep_alive: float | None = one(
        kinds.LIMIT, "15s", "after so much silence of upstream a stream gets a comment"
    )


@declares
class ContractSection(NamedTuple):
    """How requests are checked before they are answered or sent on."""

    strict: bool = one(
        kinds.TRUTH, "false", "whether documented values and ranges are enforced, not only types"
    )


@declares
class CassetteSection(NamedTuple):
    """Recordings as files, to keep beside the tests that use them."""

    name: str | None = one(
        kinds.CASSETTE_NAME, "none", "cassette to record to and replay from", flag="--cassette"
    )
    dir: Path = one(kinds.PATH, "cassettes", "folder of the cassettes", flag="--cassettes")


@declares
class StoreSection(NamedTuple):
    """The local cache."""

    path: Path = one(
        kinds.PATH,
        "${XDG_CACHE_HOME:-~/.cache}/promptdeck/store.db",
        "SQLite file of the cache",
        flag="--store",
    )
    ttl: float | None = one(kinds.LIMIT, "none", "how long the cache may serve an answer")
    # Some 700,000 chats of 5 KB with their answers, which take 1.4 KB each when packed.
    max_bytes: int = one(kinds.SIZE, "1 GiB", "largest size that the cache may grow to")


@declares
class ReplaySection(NamedTuple):
    """How recorded answers are given."""

    pace: float = one(
        kinds.PACE,
        "instant",
        "speed of replayed streams: instant, recorded, or a factor (2x is twice as fast)",
        flag="--pace",
    )
    """What recorded delays are divided by; infinity for `instant`."""
    after_last: Literal["repeat", "refuse"] = one(
        choice("repeat", "refuse"),
        "repeat",
        "what follows the last of several recordings of one request: repeat it, or refuse",
    )
    expires: float | None = one(
        kinds.LIMIT, "none", "how old a cassette's recording may grow before it counts as expired"
    )
    on_expired: Literal["warn", "fail", "record"] = one(
        choice("warn", "fail", "record"),
        "warn",
        "expired recordings: warn, fail (in replay), or record again (record-missing, not in CI)",
    )
    faults: "Plan | None" = one(
        kinds.FAULTS, "none", "how recorded answers are to go wrong, to try a client"
    )


@declares
class RecordSection(NamedTuple):
    """What is kept of answers."""

    errors: bool = one(kinds.TRUTH, "false", "whether record mode keeps error answers too")
    draws: int = one(
        kinds.COUNT,
        "1",
        "how many answers of one request record-missing records before it repeats them",
        flag="--draws",
    )
    # An answer is held in memory until it is recorded.
    max_bytes: int = one(kinds.SIZE, "32 MiB", "larger answers pass through and are not kept")
    # Four of the largest, or some thousands of the usual size. Without a bound, 200 clients that
    # left streams of 24 MB took 10 GB.
    max_pending: int = one(
        kinds.SIZE,
        "128 MiB",
        "memory of all answers that are still coming or being recorded; beyond it they pass"
        " through and are not kept",
    )
    finish_after_disconnect: bool = one(
        kinds.TRUTH, "true", "whether a recording goes on when its client leaves"
    )


@declares
class MatchSection(NamedTuple):
    """What does not count when two requests are compared."""

    ignore: tuple[str, ...] = many(
        kinds.JSON_PATH, 'JSON paths left out of the comparison, such as ["$.metadata"]'
    )
    replace: tuple[str | Mapping[str, str], ...] = many(
        kinds.REPLACEMENT,
        "text made equal: uuid, iso-time, date, or {pattern: REGEX, with: TEXT}",
    )
    preset: tuple[str, ...] = many(
        kinds.PRESET,
        "what varies by machine and day: agent, claude-code, codex, gemini-cli, opencode",
    )
    pure: tuple[str, ...] = many(
        kinds.ENDPOINT, 'paths behind /v1/ that are functions of their request, such as ["rerank"]'
    )
    stateful: tuple[str, ...] = many(
        kinds.ENDPOINT,
        "paths behind /v1/ that are not: the cache never answers them; * is any text",
    )

    @property
    def rules(self) -> Rules:
        """Presets, paths and patterns compiled, as matching applies them."""
        return Rules.build(self.ignore, self.replace, self.preset)


@declares
class RedactSection(NamedTuple):
    """What never reaches a recording, besides the secrets that promptdeck knows."""

    patterns: tuple[UserPattern, ...] = many(
        kinds.SECRET_SHAPE, "secrets of your own, each {name: NAME, pattern: REGEX}"
    )


@declares
class ToolServerSection(NamedTuple):
    """An MCP server that requests may name by its slug: by its URL, or the command that it is."""

    url: str | None = one(mappings.WHOLE_URL, "none", "its URL, such as https://host.example/mcp")
    command: tuple[str, ...] = many(
        mappings.WORD, "the command that it is, word by word: [uvx, mcp-server-time]"
    )
    env: Mapping[str, str] = mapping(
        mappings.ENVIRONMENT,
        "variables that the command gets beside PATH, HOME and the like",
        secret=True,
    )
    folder: str | None = one(mappings.OWN_FOLDER, "none", "where the command runs")
    headers: Mapping[str, str] = mapping(
        mappings.EXTRA_HEADERS, "headers that go with each message to its URL", secret=True
    )


@declares
class AgentSection(NamedTuple):
    """Tools of MCP servers, run for the client where a request has `mcp_servers`."""

    run: Literal["auto", "local", "upstream"] = one(
        choice("auto", "local", "upstream"),
        "auto",
        "who runs them: promptdeck, or the upstream; auto is the upstream if that is Dedalus",
    )
    servers: Mapping[str, ToolServerSection] = named(
        ToolServerSection,
        mappings.SLUG,
        "MCP servers by slug: {acme/clock: {command: [uvx, mcp-server-time]}}",
    )
    allow: tuple[str, ...] = many(
        mappings.NETWORK,
        "hosts and networks, such as 10.1.0.0/16, that the URLs of requests may lead to beside"
        " the public ones and this machine",
    )
    tools: Literal["recorded", "live"] = one(
        choice("recorded", "live"),
        "recorded",
        "where results of calls come from: as the mode has it, or always from the servers",
    )
    cache_tools: Literal["none", "read-only"] = one(
        choice("none", "read-only"),
        "none",
        "calls that cache mode answers from the cache: none, or those that change nothing, as"
        " their server says",
    )
    max_turns: int = one(
        kinds.COUNT, "10", "most calls of the model in a run that does not say", flag="--max-turns"
    )
    max_tool_calls: int = one(kinds.COUNT, "128", "most calls of tools in a run")
    tool_timeout: float | None = one(kinds.LIMIT, "30s", "longest wait for a tool")
    run_timeout: float | None = one(kinds.LIMIT, "10m", "longest run")


@declares
class LogSection(NamedTuple):
    """What promptdeck says on stderr."""

    level: Literal["debug", "info", "warning", "error"] = one(
        choice("debug", "info", "warning", "error"),
        "info",
        "least severe message shown: debug, info, warning or error",
        flag="--log-level",
    )


@declares
class Config(NamedTuple):
    """All settings of one server or session, in sections."""

    mode: Mode = one(
        choice(*Mode),
        "cache",
        "passthrough, cache, record, record-missing or replay",
        flag="--mode",
        default_in_ci="replay",
    )
    upstreams: Mapping[str, NamedSection] = named(
        NamedSection,
        UPSTREAM_NAME,
        "upstreams that a model is asked of by name, NAME/MODEL: {local: {base_url:"
        " http://127.0.0.1:8000/v1}}",
    )
    server: ServerSection = ServerSection()
    upstream: UpstreamSection = UpstreamSection()
    routing: RoutingSection = RoutingSection()
    contract: ContractSection = ContractSection()
    cassette: CassetteSection = CassetteSection()
    store: StoreSection = StoreSection()
    replay: ReplaySection = ReplaySection()
    record: RecordSection = RecordSection()
    match: MatchSection = MatchSection()
    redact: RedactSection = RedactSection()
    agent: AgentSection = AgentSection()
    log: LogSection = LogSection()


SECTIONS: Mapping[str, Any] = {
    name: type(value)
    for name, value in Config._field_defaults.items()
    if not isinstance(value, Setting)
}
"""The type of each section, by name."""


def _settings() -> Iterator[Setting]:
    """Every declaration in `Config`, with its path."""
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
