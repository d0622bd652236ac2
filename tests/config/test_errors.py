"""Mistakes in settings: each is told in one line with its place, and no secret is shown."""

# ruff: noqa: E501  a table of mistakes reads best with one to the line
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import example as try_also
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.config import SETTINGS, Config, Setting, load
from promptdeck.errors import ConfigError


def read(content: str | bytes = "", **environ: str) -> Config:
    """Load with `content` as promptdeck.yaml in the working directory."""
    with TemporaryDirectory() as folder:
        data = content if isinstance(content, bytes) else content.encode()
        Path(folder, "promptdeck.yaml").write_bytes(data)
        return load({}, environ, cwd=Path(folder)).config


def problems(content: str | bytes = "", **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(content, **environ)
    return str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("stor:\n  ttl: 1", "1: stor is not a setting; did you mean store?"),
        ("store:\n  tll: 1", "2: store.tll is not a setting; did you mean store.ttl?"),
        ("server: {ttl: 1}", "1: server.ttl is not a setting; did you mean store.ttl?"),
        ("port: 1", "1: port is not a setting; did you mean server.port?"),
        ("log-level: info", "1: log-level is not a setting; did you mean log.level?"),
        ("xyzzy: 1", "1: xyzzy is not a setting; `promptdeck config show` lists them all"),
        ('"a\\nb": 1', "1: 'a\\nb' is not a setting; `promptdeck config show` lists them all"),
        ("mode: cash", "1: mode: expected passthrough, cache, record, record-missing or replay, found 'cash'; did you mean cache?"),
        ("\nserver:\n  port: 70000", "3: server.port: expected a port from 0 to 65535, found '70000'"),
        ("server: {port: [1]}", "1: server.port: expected a port from 0 to 65535, found a list"),
        ("server: {port: }", "1: server.port: expected a port from 0 to 65535, found nothing"),
        ("server: 4141", "1: server: expected settings below it (host, port, hosts, origins, token, allow_anyone, max_body, max_values, shutdown_timeout, pattern_timeout, keep_alive), found '4141'"),
        ("server: {host: a b}", "1: server.host: expected a host name or address, found 'a b'"),
        ("store: {ttl: 0}", "1: store.ttl: expected a duration such as 90, 1.5s or 24h (or none), found '0'"),
        ("store: {ttl: 1 week}", "1: store.ttl: expected a duration such as 90, 1.5s or 24h (or none), found '1 week'"),
        ("store: {max_bytes: -1}", "1: store.max_bytes: expected a size such as 64 MiB, found '-1'"),
        ("store: {path: ''}", "1: store.path: expected a path, found nothing"),
        ("record: {errors: maybe}", "1: record.errors: expected true or false, found 'maybe'"),
        ("replay: {pace: fast}", "1: replay.pace: expected instant, recorded or a factor such as 2x, found 'fast'"),
        ("cassette: {name: ../x}", "1: cassette.name: ../x lies outside of cassettes, the folder of cassettes; write --cassettes .. --cassette x"),
        ("upstream: {url: ftp://x}", "1: upstream.url: expected a URL such as https://api.openai.com/v1, found 'ftp://x'"),
        ("upstream: {url: http://h:99999}", "1: upstream.url: expected a URL such as https://api.openai.com/v1, found 'http://h:99999'"),
        ("match: {preset: [agent, cursor]}",
         "1: match.preset[1]: no preset 'cursor'; there are agent, claude-code, codex, gemini-cli, opencode"),
        ("match: {ignore: $.a}", "1: match.ignore: expected a list, found '$.a'"),
        ("match: {ignore: [$.a, b]}", "1: match.ignore[1]: a JSON path starts with $ and names something below it, not 'b'"),
        ("match: {ignore: [[$.a]]}", "1: match.ignore[0]: expected text, found a list"),
        ("match: {ignore: [{$.a: b}]}", "1: match.ignore[0]: expected a JSON path such as $.metadata, found a mapping"),
        ("match: {replace: [{pattern: [x], with: y}]}", "1: match.replace[0].pattern: expected text, found a list"),
        ("upstream: {providers: [{name: X, url: u}]}", "1: upstream.providers[0]: a name is made of a-z, 0-9, _ and -, not 'X'"),
        ("upstream: {providers: [{name: x, url: u}]}", "1: upstream.providers[0]: expected a URL such as https://api.openai.com/v1"),
        ("redact: {patterns: [x]}", "1: redact.patterns[0]: expected {name, pattern}, found 'x'"),
        ("redact: {patterns: [{name: A, pattern: x}]}", "1: redact.patterns[0]: a name is made of a-z, 0-9 and -, not 'A'"),
        ("redact: {patterns: [{name: a, pattern: x*}]}", "1: redact.patterns[0]: 'x*' matches the empty text, and so everywhere"),
        ("redact: {patterns: [{name: a, pattern: (}]}", "1: redact.patterns[0]: '(' is not a regular expression: missing ), unterminated subpattern at position 0"),
        ("redact: {patterns: [{name: a}]}", "1: redact.patterns[0]: wants the two keys `name` and `pattern`"),
        ("mode: ${NOPE}", "1: mode: NOPE is not in the environment; set it or write ${NOPE:-}"),
        ("mode: ${NO PE}", "1: mode: write ${NAME} or ${NAME:-default}, or $${ for a plain ${"),
        ("- mode", "1: expected settings, found a list"),
        ("cache", "1: expected settings, found 'cache'"),
        ("mode: cache\nmode: record", "2: mode stands here a second time; keep one of them"),
        ("store: {ttl: 1,\n  ttl: 2}", "2: store.ttl stands here a second time; keep one of them"),
        ("store: {ttl: 1}\nstore.ttl: 2", "2: store.ttl stands here a second time; keep one of them"),
        ("? [a]\n: 1", "1: a key must be text, not a list"),
        ("mode: [", "1:8: not YAML: expected the node content, but found '<stream end>'"),
        ("a: b: c", "1:5: not YAML: mapping values are not allowed here"),
        ("a: 1\n---\nb: 1", "2:1: not YAML: but found another document"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_told_in_one_line(content: str, problem: str) -> None:
    assert problems(content) == [f"promptdeck.yaml:{problem}"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("PROMPTDECK_STORE_TLL", "1", "PROMPTDECK_STORE_TLL is not a setting; did you mean PROMPTDECK_STORE_TTL?"),
        ("PROMPTDECK_PORT", "1", "PROMPTDECK_PORT is not a setting; did you mean PROMPTDECK_SERVER_PORT?"),
        ("PROMPTDECK_CASSETTES", "x", "PROMPTDECK_CASSETTES is not a setting; did you mean PROMPTDECK_CASSETTE_DIR?"),
        ("PROMPTDECK_UPSTREAM", "x", "PROMPTDECK_UPSTREAM is not a setting; did you mean PROMPTDECK_UPSTREAM_URL?"),
        ("PROMPTDECK_XYZZY", "1", "PROMPTDECK_XYZZY is not a setting; `promptdeck config show` lists them all"),
        ("PROMPTDECK_LOG_LEVEL", "loud", "PROMPTDECK_LOG_LEVEL: log.level: expected debug, info, warning or error, found 'loud'"),
        ("PROMPTDECK_MATCH_IGNORE", "$.a", "PROMPTDECK_MATCH_IGNORE: match.ignore: expected a list, found '$.a'"),
        ("PROMPTDECK_MATCH_IGNORE", "[$.a, x]", "PROMPTDECK_MATCH_IGNORE: match.ignore[1]: a JSON path starts with $ and names something below it, not 'x'"),
        ("PROMPTDECK_MATCH_IGNORE", "[", "PROMPTDECK_MATCH_IGNORE:1:2: not YAML: expected the node content, but found '<stream end>'"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_environment_is_told_in_one_line(
    name: str, text: str, problem: str
) -> None:
    assert problems(**{name: text}) == [problem]


def test_a_mistake_in_a_flag_names_the_flag() -> None:
    with pytest.raises(ConfigError) as caught:
        load({"port": "x"}, {})
    assert str(caught.value) == "--port: server.port: expected a port from 0 to 65535, found 'x'"


@pytest.mark.parametrize("entry", ["guid", "{pattern: x}", "{pattern: (, with: x}", "[]"])
def test_a_replacement_that_cannot_be_read_is_told_with_its_place(entry: str) -> None:
    (problem,) = problems(f"match: {{replace: [uuid, {entry}]}}")
    assert problem.startswith("promptdeck.yaml:1: match.replace[1]: ")


def test_all_mistakes_are_told_at_once() -> None:
    found = problems("mode: x\nstore: {tll: 1, ttl: y}", PROMPTDECK_SERVER_PORT="z")
    assert [line.split(" ")[0] for line in found] == [
        "promptdeck.yaml:1:",
        "promptdeck.yaml:2:",
        "promptdeck.yaml:2:",
        "PROMPTDECK_SERVER_PORT:",
    ]


def test_what_kubernetes_sets_beside_a_service_of_our_name_is_no_mistake() -> None:
    links = {
        "PROMPTDECK_SERVICE_HOST": "10.0.0.1",
        "PROMPTDECK_SERVICE_PORT_HTTP": "4141",
        "PROMPTDECK_PORT": "tcp://10.0.0.1:4141",
        "PROMPTDECK_PORT_4141_TCP_ADDR": "10.0.0.1",
    }
    assert read(**links) == Config()


def test_click_keeps_its_own_variable() -> None:
    assert read(_PROMPTDECK_COMPLETE="bash_source") == Config()


# Secrets


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PROMPTDECK_UPSTREAM_API_KEY", "sk-hush hush"),
        ("PROMPTDECK_UPSTREAM_API_KEY", "sk-hush\n"),
        ("PROMPTDECK_UPSTREAM_URL", "https://me:sk-hush@host/v1"),
        ("PROMPTDECK_UPSTREAM_URL", "https://host/v1?key=sk-hush"),
        ("PROMPTDECK_UPSTREAM_URL", "me:sk-hush@host"),
        ("PROMPTDECK_UPSTREAM_URL", "https://host/#sk-hush"),
    ],
)
def test_an_error_never_shows_a_secret(variable: str, text: str) -> None:
    (problem,) = problems(**{variable: text})
    assert problem.startswith(f"{variable}: upstream.")
    assert "hush" not in problem


# Anything at all

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
ANYTHING = st.recursive(
    SCALARS | st.dates() | st.sampled_from(["${X}", "${", "uuid", "$.a", "1h", "2x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "pattern", "with"]) | st.text(max_size=5), inner, max_size=3
        )
    ),
    max_leaves=6,
)
KEYS = sorted({part for path in SETTINGS for part in path.split(".")})
MAPPINGS = st.dictionaries(
    st.sampled_from(KEYS) | st.text(max_size=8),
    st.dictionaries(st.sampled_from(KEYS) | st.integers(), ANYTHING, max_size=4) | ANYTHING,
    max_size=4,
)
# A set within a set of a regular expression will mean something else one day, says Python.
any_pattern = pytest.mark.filterwarnings("ignore:Possible:FutureWarning")


def survives(content: str | bytes = "", **environ: str) -> None:
    """Whatever it is: a Config, or problems with a place and one line each."""
    try:
        assert isinstance(read(content, **environ), Config)
    except ConfigError as error:
        for line in str(error).split("\n"):
            assert re.match(r"promptdeck\.yaml:|PROMPTDECK_\w+", line)
            assert line.isprintable()


@any_pattern
@given(MAPPINGS)
def test_any_mapping_is_settings_or_a_config_error(mapping: dict[Any, Any]) -> None:
    survives(yaml.safe_dump(mapping, allow_unicode=True))


@any_pattern
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8")))
@try_also(b"[" * 5000)
@try_also(b'"\\UFFFFFFFF"')
@try_also(b"&a {store: *a}")
@try_also(b"match: {ignore: &a [*a]}")
@try_also(b"match: &m {replace: [&a {pattern: *a, with: x}], ignore: [*m]}")
@try_also(b"redact: {patterns: [{name: a, pattern: 'a{99999999999}'}]}")
@try_also(b"redact: {patterns: [{name: a, pattern: '" + b"(" * 5000 + b"'}]}")
@try_also(b"%YAML 1." + b"9" * 5000 + b"\n--- a")
@try_also(b"mode: !!python/object:os.system x")
def test_any_bytes_are_settings_or_a_config_error(content: bytes) -> None:
    survives(content)


ANY_TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


@any_pattern
@given(st.sampled_from([*SETTINGS.values()]), ANY_TEXT | ANYTHING.map(str))
def test_any_variable_is_a_setting_or_a_config_error(setting: Setting, text: str) -> None:
    survives(**{setting.variable: text})


@given(st.from_regex(r"[A-Z0-9_]{1,20}", fullmatch=True))
def test_an_unknown_variable_is_a_config_error_that_may_name_a_known_one(name: str) -> None:
    variable = "PROMPTDECK_" + name
    known = {setting.variable for setting in SETTINGS.values()} | {"PROMPTDECK_CONFIG"}
    if variable not in known and not re.match(r"SERVICE_(HOST|PORT)|PORT_[0-9]+_", name):
        (problem,) = problems(**{variable: "x"})
        meant = re.search(r"did you mean (\w+)\?$", problem)
        assert problem.startswith(f"{variable} is not a setting; ")
        assert meant is None or meant[1] in known
