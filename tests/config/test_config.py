"""Every setting, from file, environment and flags: which one wins, and how it is shown."""

import math
import os
import subprocess
import sys
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest

from promptdeck.config import SETTINGS, Config, Loaded, Provider, Setting, load
from promptdeck.config.render import show
from promptdeck.config.settings import ToolServerSection
from promptdeck.config.upstreams import NamedSection
from promptdeck.core.faults.plan import parse_plan
from promptdeck.core.policy import Mode
from promptdeck.core.secrets.redact import UserPattern
from promptdeck.errors import ConfigError
from tests import ROOT

# For every setting a text, as file and environment take it, that is not its default.
OTHER: Mapping[str, tuple[str, Any]] = {
    "mode": ("record-missing", Mode.RECORD_MISSING),
    "upstreams": (
        '{local: {base_url: "http://127.0.0.1:8000", dialect: messages, max_concurrent: 2}}',
        {
            "local": NamedSection(
                base_url="http://127.0.0.1:8000/v1", dialect=("messages",), max_concurrent=2
            )
        },
    ),
    "routing.aliases": (
        "{fast: openai/gpt-5-mini, any: [a/b, c]}",
        {"fast": ("openai/gpt-5-mini",), "any": ("a/b", "c")},
    ),
    "routing.patterns": ('{"claude-*": anthropic/*}', {"claude-*": ("anthropic/*",)}),
    "routing.retries": ("0", 0),
    "routing.retry_budget": ("0", 0.0),
    "routing.hold_back": ("1.5s", 1.5),
    "routing.first_byte": ("20s", 20.0),
    "routing.breaker": ("7", 7),
    "routing.breaker_pause": ("2m", 120.0),
    "server.host": ("0.0.0.0", "0.0.0.0"),
    "server.port": ("0", 0),
    "server.hosts": ('[Deck.Internal., "*"]', ("deck.internal", "*")),
    "server.origins": (
        '[https://App.example/, "http://*.example:3000"]',
        ("https://app.example", "http://*.example:3000"),
    ),
    "server.token": ("deck-other", "deck-other"),
    "server.allow_anyone": ("yes", True),
    "server.max_body": ("1.5 KiB", 1536),
    "server.max_values": ("1000", 1000),
    "server.shutdown_timeout": ("0", 0.0),
    "server.pattern_timeout": ("250ms", 0.25),
    "server.keep_alive": ("1m", 60.0),
    "contract.strict": ("true", True),
    "upstream.providers": (
        '[{name: local, url: "http://localhost:8000"}]',
        (Provider("local", "http://localhost:8000/v1"),),
    ),
    "upstream.url": ("http://localhost:8000/openai/v1/", "http://localhost:8000/openai/v1"),
    "upstream.api_key": ("sk-other", "sk-other"),
    "upstream.connect_timeout": ("250ms", 0.25),
    **{
        f"upstream.{name}": (f"https://{name}.corp", f"https://{name}.corp/v1")
        for name in ("anthropic", "google", "azure", "cohere", "ollama")
    },
    "upstream.read_timeout": ("none", None),
    "cassette.name": ("agents/weather", "agents/weather"),
    "cassette.dir": ("tests/tapes", Path("tests/tapes")),
    "store.path": ("~/deck.db", Path("~/deck.db").expanduser()),
    "store.ttl": ("24h", 86_400.0),
    "store.max_bytes": ("10k", 10_000),
    "replay.pace": ("2x", 2.0),
    "replay.after_last": ("refuse", "refuse"),
    "replay.expires": ("30d", 2_592_000.0),
    "replay.on_expired": ("record", "record"),
    "replay.faults": ("status=429; times=1", parse_plan("status=429; times=1")),
    "record.errors": ("yes", True),
    "record.draws": ("3", 3),
    "record.max_bytes": ("64MB", 64_000_000),
    "record.max_pending": ("1GiB", 1 << 30),
    "record.finish_after_disconnect": ("off", False),
    "match.ignore": ('["$.user", "$..id"]', ("$.user", "$..id")),
    "match.replace": (
        '[uuid, {pattern: "run-[0-9]+", with: run}]',
        ("uuid", {"pattern": "run-[0-9]+", "with": "run"}),
    ),
    "match.preset": ("[claude-code, agent]", ("claude-code", "agent")),
    "match.pure": ('["rerank/v2"]', ("rerank/v2",)),
    "match.stateful": ('["/v1/embeddings", "audio/*"]', ("embeddings", "audio/*")),
    "redact.patterns": (
        '[{name: badge, pattern: "B[0-9]{4}"}]',
        (UserPattern("badge", "B[0-9]{4}"),),
    ),
    "agent.run": ("local", "local"),
    "agent.servers": (
        '{acme/clock: {command: [uvx, clock], folder: /srv}, far: {url: "https://a.example/x/"}}',
        {
            "acme/clock": ToolServerSection(command=("uvx", "clock"), folder="/srv"),
            "far": ToolServerSection(url="https://a.example/x/"),
        },
    ),
    "agent.allow": ("[10.1.0.0/16, tools.corp]", ("10.1.0.0/16", "tools.corp")),
    "agent.tools": ("live", "live"),
    "agent.cache_tools": ("read-only", "read-only"),
    "agent.max_turns": ("3", 3),
    "agent.max_tool_calls": ("7", 7),
    "agent.tool_timeout": ("none", None),
    "agent.run_timeout": ("1h", 3600.0),
    "log.level": ("debug", "debug"),
}

every_setting = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


def read(
    content: str | bytes = "", *, flags: Mapping[str, object] | None = None, **environ: str
) -> Loaded:
    """Load with `content` as promptdeck.yaml in the working directory."""
    with TemporaryDirectory() as folder:
        data = content if isinstance(content, bytes) else content.encode()
        Path(folder, "promptdeck.yaml").write_bytes(data)
        return load(flags or {}, environ, cwd=Path(folder))


def value(loaded: Loaded, setting: Setting) -> Any:
    return attrgetter(setting.path)(loaded.config)


def in_file(path: str, text: str) -> str:
    section, _, key = path.rpartition(".")
    return f"{section}:\n  {key}: {text}\n" if section else f"{key}: {text}\n"


# Every setting, every source


@every_setting
def test_every_setting_can_be_given_in_the_file(setting: Setting) -> None:
    text, expected = OTHER[setting.path]
    loaded = read(in_file(setting.path, text))
    assert value(loaded, setting) == expected != value(read(), setting)
    line = 2 if "." in setting.path else 1
    assert loaded.sources[setting.path] == f"promptdeck.yaml:{line}"


@every_setting
def test_every_setting_can_be_given_in_the_environment(setting: Setting) -> None:
    text, expected = OTHER[setting.path]
    loaded = read(**{setting.variable: text})
    assert value(loaded, setting) == expected
    assert loaded.sources[setting.path] == setting.variable


FLAGS = {
    "max_turns": "agent.max_turns",
    "mode": "mode",
    "host": "server.host",
    "port": "server.port",
    "upstream": "upstream.url",
    "cassette": "cassette.name",
    "cassettes": "cassette.dir",
    "store": "store.path",
    "pace": "replay.pace",
    "log_level": "log.level",
    "draws": "record.draws",
}


def test_the_flags_are_these() -> None:
    flags = {setting.parameter: path for path, setting in SETTINGS.items() if setting.flag}
    assert flags == FLAGS


@pytest.mark.parametrize(("parameter", "path"), FLAGS.items())
def test_every_flag_sets_its_setting(parameter: str, path: str) -> None:
    text, expected = OTHER[path]
    loaded = read(flags={parameter: text})
    assert attrgetter(path)(loaded.config) == expected
    assert loaded.sources[path] == "--" + parameter.replace("_", "-")


def test_no_two_settings_share_a_variable() -> None:
    assert len({setting.variable for setting in SETTINGS.values()}) == len(SETTINGS) == len(OTHER)


def test_a_tool_server_s_variables_and_headers_are_read_and_not_shown() -> None:
    loaded = read("agent: {servers: {a: {env: {TOKEN: hush}, headers: {X-Key: hush}}}}")
    entry = loaded.config.agent.servers["a"]
    assert (entry.env, entry.headers) == ({"TOKEN": "hush"}, {"X-Key": "hush"})
    assert "hush" not in str([*show(loaded)])
    for wrong in "{env: {A=B: x}}", "{headers: {'A B': x}}", "{url: host}", "{env: {A: [1]}}":
        with pytest.raises(ConfigError, match=r"agent\.servers\.a"):
            read(f"agent: {{servers: {{a: {wrong}}}}}")
    with pytest.raises(ConfigError, match=r"agent\.servers"):
        read("agent: {servers: {a b: {url: 'https://x/y'}}}")


def test_one_preset_needs_no_brackets() -> None:
    assert read("match: {preset: agent}").config.match.preset == ("agent",)
    assert read(PROMPTDECK_MATCH_PRESET="codex").config.match.preset == ("codex",)


@every_setting
def test_a_default_is_written_as_show_writes_it(setting: Setting) -> None:
    if setting.path != "store.path":
        assert setting.write(value(read(), setting)) == setting.default


@every_setting
def test_what_show_writes_is_read_back_to_the_same_value(setting: Setting) -> None:
    loaded = read(in_file(setting.path, OTHER[setting.path][0]))
    written = setting.write(value(loaded, setting))
    assert read(**{setting.variable: written}).config == loaded.config


# Precedence


def test_flags_beat_environment_beats_file_beats_defaults() -> None:
    file = "server: {port: 1}"
    variable = {"PROMPTDECK_SERVER_PORT": "2"}
    assert read().config.server.port == 4141
    assert read(file).config.server.port == 1
    assert read(file, **variable).config.server.port == 2
    assert read(file, flags={"port": 3}, **variable).config.server.port == 3


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert read("server: {port: 1}", flags={"port": None}).config.server.port == 1


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    loaded = read("store: {ttl: 1h}", PROMPTDECK_STORE_TTL="", PROMPTDECK_NONSENSE="")
    assert loaded.config.store.ttl == 3600


@pytest.mark.parametrize(("ci", "mode"), [("true", "replay"), ("1", "replay"), ("false", "cache")])
def test_the_default_mode_under_ci_is_replay(ci: str, mode: str) -> None:
    assert read(CI=ci).config.mode == mode


def test_a_mode_that_is_given_holds_under_ci_too() -> None:
    assert read("mode: record", CI="true").config.mode is Mode.RECORD
    assert read(CI="true").sources["mode"] == "default under CI"


def test_the_store_lies_in_the_users_cache_folder() -> None:
    assert read(XDG_CACHE_HOME="/c").config.store.path == Path("/c/promptdeck/store.db")
    home = Path("~/.cache/promptdeck/store.db").expanduser()
    assert read().config.store.path == home == Config().store.path


def test_a_config_without_arguments_has_the_defaults() -> None:
    assert Config() == read().config


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().server.port = 1  # type: ignore[misc]


def test_pace_is_what_delays_are_divided_by() -> None:
    assert 250 / Config().replay.pace == 0
    assert Config().replay.pace == math.inf
    assert read("replay: {pace: recorded}").config.replay.pace == 1


def test_match_settings_make_the_rules() -> None:
    match = read("match: {ignore: [$.user], replace: [uuid]}").config.match
    body = {"user": "u", "id": "6f1c2a52-0000-4000-8000-0123456789ab"}
    assert match.rules.applied(body, "/v1/x") == (
        {"id": "<uuid>"},
        "/v1/x",
        ["$.user"],
    )


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/", "https://api.openai.com/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
        ("https://host/a/b//", "https://host/a/b"),
        ("https://host/v1@beta", "https://host/v1@beta"),
    ],
)
def test_an_upstream_without_a_path_gets_v1(given_url: str, url: str) -> None:
    assert read(PROMPTDECK_UPSTREAM_URL=given_url).config.upstream.url == url


# The file


def test_the_file_is_the_named_one_else_the_variables_else_the_one_at_hand(tmp_path: Path) -> None:
    for name, port in (("promptdeck.yaml", 1), ("env.yaml", 2), ("flag.yaml", 3)):
        (tmp_path / name).write_text(f"server: {{port: {port}}}")
    variable = {"PROMPTDECK_CONFIG": "env.yaml"}
    assert load({}, {}, cwd=tmp_path).config.server.port == 1
    assert load({}, variable, cwd=tmp_path).config.server.port == 2
    assert load({}, variable, Path("flag.yaml"), tmp_path).config.server.port == 3


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    assert load({}, {}, cwd=tmp_path).config == Config()


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^no\.yaml: there is no such file; --config names it$"):
        load({}, {}, Path("no.yaml"), tmp_path)
    with pytest.raises(ConfigError, match=r"^no\.yaml: .* PROMPTDECK_CONFIG names it$"):
        load({}, {"PROMPTDECK_CONFIG": "no.yaml"}, cwd=tmp_path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^\.: cannot be read: "):
        load({}, {}, Path(), tmp_path)


@pytest.mark.parametrize("content", ["", "# nothing\n", "server:\nstore: ~\n", "---\n", "null"])
def test_an_empty_file_or_section_changes_nothing(content: str) -> None:
    assert read(content).config == Config()


def test_scalars_are_what_they_look_like() -> None:
    assert read("cassette: {name: 007}").config.cassette.name == "007"
    assert read("cassette: {name: 2024-01-01}").config.cassette.name == "2024-01-01"
    assert read("cassette: {name: no}").config.cassette.name == "no"


def test_a_path_may_be_written_as_one_dotted_key() -> None:
    assert read("store.ttl: 1h").config.store.ttl == 3600


def test_the_file_may_name_variables_of_the_environment() -> None:
    content = "upstream: {url: 'https://${HOST}/${BASE:-v1}', api_key: '${KEY:-}'}"
    assert read(content, HOST="h").config.upstream.url == "https://h/v1"
    assert read(content, HOST="h", BASE="x").config.upstream.url == "https://h/x"
    assert read(content, HOST="h", BASE="").config.upstream.url == "https://h/v1"
    assert read(content, HOST="h").config.upstream.api_key is None
    assert read(content, HOST="h", KEY="k").config.upstream.api_key == "k"


def test_a_doubled_dollar_keeps_the_placeholder() -> None:
    loaded = read("match: {replace: [{pattern: '$${X}', with: '${X}'}]}", X="x")
    assert loaded.config.match.replace == ({"pattern": "${X}", "with": "x"},)


def test_the_environment_itself_is_not_filled_in() -> None:
    assert read(PROMPTDECK_CASSETTE_DIR="${X}").config.cassette.dir == Path("${X}")


def test_reading_settings_starts_without_yaml() -> None:
    code = (
        "import sys; from promptdeck.config import load; load({}, {});"
        "print({'yaml', 'difflib'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "proxy", capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True,
    )  # fmt: skip
    assert done.stdout == "set()\n"


# Upstreams by name


def test_each_setting_of_a_named_upstream_can_be_given_in_the_file() -> None:
    said = """
upstreams:
  local:
    dialect: [chat, responses]
    base_url: http://127.0.0.1:8000
    api_key: ${LOCAL_KEY:-}
    auth: x-api-key
    headers: {X-Team: blue}
    connect_timeout: 1s
    read_timeout: none
    proxy: none
    max_concurrent: 4
    retries: 0
    by_responses: gpt-5.4*
"""
    with pytest.raises(ConfigError, match=r"local.by_responses: expected a list"):
        read(said)
    said = said.replace("gpt-5.4*", '["gpt-5.4*"]')
    local = read(said, LOCAL_KEY="sk-hush").config.upstreams["local"]
    assert local == (
        ("chat", "responses"),
        "http://127.0.0.1:8000/v1",
        "sk-hush",
        "x-api-key",
        {"X-Team": "blue"},
        1.0,
        None,
        "none",
        4,
        0,
        ("gpt-5.4*",),
    )
    assert read(said).config.upstreams["local"].api_key is None


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("local: {bse_url: x}", "upstreams.local.bse_url is not a setting; did you mean base_url"),
        ("local: {base_url: 1}", "upstreams.local.base_url: expected a URL"),
        ("local: {dialect: grpc}", "upstreams.local.dialect[0]: expected chat, responses,"),
        ("local: here", "upstreams.local: expected settings below it (dialect, base_url,"),
        ("Local: {}", "upstreams: expected an upstream's name"),
        ("local: {headers: {A b: c}}", "upstreams.local.headers: 'A b' can be no header's name"),
        ('local: {headers: {A: "\\n"}}', "upstreams.local.headers.A: expected printable ASCII"),
        ("local: {api_key: a b}", "upstreams.local.api_key: expected printable ASCII"),
        ("local: {api_key: '${NOT_THERE}'}", "upstreams.local.api_key: NOT_THERE is not in the"),
        ("local: {}\n  local: {}", "upstreams.local stands here a second time"),
    ],
)
def test_what_is_wrong_of_a_named_upstream_is_told_with_its_place(said: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"upstreams:\n  {said}")
    assert problem in str(caught.value)
    assert str(caught.value).startswith("promptdeck.yaml:")


def test_no_secret_of_a_named_upstream_is_shown() -> None:
    secrets = "api_key: sk-hush, proxy: 'http://u:hush@proxy:3128', headers: {X-Key: hush}"
    loaded = read(f"upstreams: {{local: {{{secrets}}}, bare: }}")
    assert "hush" not in repr(loaded.config)
    (row,) = (row for row in show(loaded) if row.path == "upstreams")
    hidden = "(set, not shown)"
    assert orjson.loads(row.value) == {
        "local": {"api_key": hidden, "headers": hidden, "proxy": hidden},
        "bare": {},
    }


@pytest.mark.parametrize(
    "said", ["{fast: }", "{fast: []}", "{fast: [[a]]}", "[a]", "{fast: {a: b}}"]
)
def test_an_alias_stands_for_a_model_or_a_list_of_them(said: str) -> None:
    with pytest.raises(ConfigError, match=r"routing\.aliases"):
        read(f"routing: {{aliases: {said}}}")
