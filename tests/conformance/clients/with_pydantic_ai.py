"""pydantic-ai, with the model that the command line names: `anthropic:claude-opus-5-5`."""

import sys

from pydantic_ai import Agent
from steps import PLAIN, STREAMED, UNRECORDED, WEATHER, main, weather

agent = Agent(sys.argv[2])
skilled = Agent(sys.argv[2], tools=[weather])


async def stream() -> str:
    async with agent.run_stream(STREAMED) as result:
        return "".join([text async for text in result.stream_text(delta=True)])


async def ask(by: Agent, prompt: str) -> str:
    return (await by.run(prompt)).output


main(
    plain=lambda: ask(agent, PLAIN),
    stream=stream,
    tools=lambda: ask(skilled, WEATHER),
    unrecorded=lambda: ask(agent, UNRECORDED),
)
