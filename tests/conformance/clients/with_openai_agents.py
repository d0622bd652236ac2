"""OpenAI's agents SDK."""

from agents import Agent, Runner, function_tool, set_tracing_disabled
from steps import PLAIN, STREAMED, UNRECORDED, WEATHER, main, weather

# Traces go to OpenAI by an address of their own.
set_tracing_disabled(True)
agent = Agent("plain", model="gpt-6.2-sol")
skilled = Agent("skilled", model="gpt-6.2-sol", tools=[function_tool(weather)])


async def stream() -> str:
    result = Runner.run_streamed(agent, STREAMED)
    raw = [e.data async for e in result.stream_events() if e.type == "raw_response_event"]
    return "".join(e.delta for e in raw if e.type == "response.output_text.delta")


async def ask(by: Agent, prompt: str) -> str:
    return (await Runner.run(by, prompt)).final_output


main(
    plain=lambda: ask(agent, PLAIN),
    stream=stream,
    tools=lambda: ask(skilled, WEATHER),
    unrecorded=lambda: ask(agent, UNRECORDED),
)
