"""`promptdeck upstreams`: what is set, where keys come from, and what each answers."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from promptdeck.cli.upstreams import command
from promptdeck.core.routing.upstreams import BUILTINS
from tests.scripted_upstream import Upstream, raw

KEYS = {key: "" for one in BUILTINS.values() for key in one.keys}
HUSH = "sk-hush-0123456789"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command, beside a server, with a configuration and an environment."""
    monkeypatch.chdir(tmp_path)

    async def ran(config: str, *flags: str, **environ: str) -> Result:
        Path("promptdeck.yaml").write_text(config)
        env = {**KEYS, **environ}
        return await asyncio.to_thread(CliRunner().invoke, command, flags, env=env)

    return ran


def rows(result: Result) -> dict[str, Any]:
    return {row["name"]: row for row in orjson.loads(result.stdout)}


async def test_all_are_listed_with_where_their_key_comes_from_and_no_key(shell: Any) -> None:
    config = f"upstreams: {{local: {{base_url: 'http://127.0.0.1:8000', api_key: {HUSH}}}}}"
    for flags in ((), ("--json",)):
        result = await shell(config, *flags, MISTRAL_API_KEY=HUSH)
        assert result.exit_code == 0
        assert HUSH not in result.output
    found = rows(result)
    assert [*found] == ["(default)", "local", *BUILTINS]
    assert found["local"] == {
        "name": "local",
        "dialect": ["chat"],
        "base_url": "http://127.0.0.1:8000/v1",
        "key": "upstreams.local.api_key",
        "problem": "",
    }
    assert found["mistral"]["key"] == "MISTRAL_API_KEY"
    assert found["openai"]["key"] == ""


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("upstreams: {nowhere: {}}", "set upstreams.nowhere.base_url"),
        ("upstreams: {openai: {api_key: k, auth: none}}", "auth: none keeps that back"),
        ("upstreams: {groq: {by_responses: [x]}}", "responses is not among its dialects"),
        ("routing: {aliases: {fast: antropic/x}}", "did you mean anthropic/x?"),
        ('routing: {patterns: {"a*": nobody/*}}', "routing.patterns.a*: 'nobody/MODEL'"),
    ],
)
async def test_what_is_wrong_is_told_and_the_exit_code_says_so(
    shell: Any, config: str, problem: str
) -> None:
    result = await shell(config)
    assert problem in result.output
    assert result.exit_code == 1


async def test_check_asks_each_that_is_set_or_has_a_key_for_its_models(
    shell: Any, provider: Upstream
) -> None:
    lists = {
        "chat": {"data": [{"id": "a"}, {"id": "b"}]},
        "messages": {"data": [{"id": "c"}]},
        "gemini": {"models": [{"name": "models/d"}]},
    }

    async def answer(seen: Any, request: Any) -> Any:
        dialect = seen.path.split("/")[1]
        return await raw(orjson.dumps(lists[dialect]))(seen, request)

    provider.answers = [answer]
    root = provider.url.removesuffix("/v1")
    named = {
        name: {"base_url": f"{root}/{name}/v1", "dialect": name, "api_key": HUSH} for name in lists
    }
    result = await shell(orjson.dumps({"upstreams": named}).decode(), "--check", "--json")
    assert result.exit_code == 0, result.output
    found = rows(result)
    assert {name: found[name]["models"] for name in lists} == {
        "chat": 2,
        "messages": 1,
        "gemini": 1,
    }
    assert found["openai"]["models"] is None
    asked = {seen.path: {k.lower(): v for k, v in seen.headers.items()} for seen in provider.seen}
    assert asked["/chat/v1/models"]["authorization"] == f"Bearer {HUSH}"
    assert asked["/messages/v1/models"]["x-api-key"] == HUSH
    assert asked["/messages/v1/models"]["anthropic-version"] == "2023-06-01"
    assert asked["/gemini/v1beta/models"]["x-goog-api-key"] == HUSH


async def test_what_fails_is_told_without_the_key_within_its_time(
    shell: Any, provider: Upstream
) -> None:
    async def waits(seen: Any, request: Any) -> Any:
        if "slow" in seen.path:
            await asyncio.sleep(5)
        sent = seen.headers.get("Authorization", "none")
        refusal = {"error": {"message": f"Incorrect API key provided: {sent}"}}
        return await raw(orjson.dumps(refusal), status=401)(seen, request)

    provider.answers = [waits]
    root = provider.url.removesuffix("/v1")
    named = {
        "slow": {"base_url": f"{root}/slow/v1", "api_key": HUSH},
        "wrong": {"base_url": f"{root}/wrong/v1", "api_key": HUSH},
        "bare": {"base_url": f"{root}/bare/v1"},
        "down": {"base_url": "http://127.0.0.1:9/v1"},
    }
    config = orjson.dumps({"upstreams": named}).decode()
    result = await shell(config, "--check", "--timeout", "0.2", "--json")
    assert result.exit_code == 1
    assert HUSH not in result.output
    problems = {name: row["problem"] for name, row in rows(result).items()}
    assert problems["slow"] == "it did not answer within 0.2 s"
    assert problems["wrong"].startswith("status 401: Incorrect API key provided: ")
    assert problems["bare"].endswith("; set upstreams.bare.api_key")
    assert "(upstreams.down.base_url)" in problems["down"]
    told = await shell(config, "--check", "--timeout", "0.2")
    assert "4 upstreams asked, 4 failed" in told.output
