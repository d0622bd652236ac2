"""Recipes for programs that are not pytest: a shell script, a subprocess, many requests at once."""

import asyncio
import random
import sys
from pathlib import Path

import openai
import pytest

from tests.command import promptdeck
from tests.conftest import Start
from tests.scripted_upstream import Upstream
from tests.server.test_sessions import closed, opened

SHELL = r"""
set -eu
ask() { curl -sf "$OPENAI_BASE_URL/chat/completions" -H "Authorization: Bearer $OPENAI_API_KEY" \
    -H 'Content-Type: application/json' \
    -d "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"$1\"}]}"; }
ask "one" | grep -o 'answer [0-9]*'
ask "two" | grep -o 'answer [0-9]*'
"""
SUBPROCESS = """
import subprocess, sys
child = "import openai; print(openai.OpenAI().chat.completions.create(model='m', messages=[]).id)"
subprocess.run([sys.executable, "-c", child], check=True)
"""


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("bash", "script"), "answer 1\nanswer 2\n"),
        ((sys.executable, "script"), "chatcmpl-1\n"),
    ],
    ids=["a shell script with curl", "an app in a subprocess"],
)
async def test_a_program_of_any_kind_records_and_replays(
    provider: Upstream, tmp_path: Path, argv: tuple[str, ...], said: str
) -> None:
    (tmp_path / "script").write_text(SHELL if argv[0] == "bash" else SUBPROCESS)
    record = ("run", "--mode", "record", "--cassette", "c", "--upstream", provider.url)
    assert (await promptdeck(tmp_path, *record, "--", *argv)).out == said
    replay = ("run", "--mode", "replay", "--cassette", "c", "--fail-on", "miss,unused")
    ran = await promptdeck(tmp_path, *replay, "--", *argv)
    assert (ran.code, ran.out) == (0, said)


async def test_fifty_requests_at_once_replay_in_any_order(start: Start) -> None:
    prompts, shuffled = [f"prompt {number}" for number in range(50)], random.Random(50)

    async def ask_all(base_url: str) -> dict[str, str | None]:
        order = shuffled.sample(prompts, len(prompts))
        async with openai.AsyncOpenAI(base_url=base_url, api_key="k") as client:

            async def ask(prompt: str) -> str | None:
                answer = await client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": prompt}]
                )
                return answer.choices[0].message.content

            return dict(zip(order, await asyncio.gather(*map(ask, order)), strict=True))

    recording = await start(mode="record-missing", cassette="many")
    recorded = await ask_all(recording.server.base_url)
    await recording.idle()
    assert len(set(recorded.values())) == 50
    deck = await start(mode="replay")
    for _ in range(3):
        session = await opened(deck, cassette="many")
        assert await ask_all(session["base_url"]) == recorded
        assert (await closed(deck, session, "?fail_on=miss,unused")).status == 200
