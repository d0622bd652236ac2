"""LangChain's client for Anthropic."""

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from steps import PLAIN, RETURNED, STREAMED, UNRECORDED, WEATHER, main, weather
from steps import model as named

model = ChatAnthropic(model=named("claude-opus-5-5"), max_tokens=100)


def stream() -> str:
    return "".join(part.text for part in model.stream(STREAMED))


def tools() -> str:
    bound = model.bind_tools([tool(weather)])
    first = bound.invoke(WEATHER)
    [call] = first.tool_calls
    assert weather(**call["args"]) == RETURNED
    result = ToolMessage(RETURNED, tool_call_id=call["id"])
    return bound.invoke([("user", WEATHER), first, result]).text


main(
    plain=lambda: model.invoke(PLAIN).text,
    stream=stream,
    tools=tools,
    unrecorded=lambda: model.invoke(UNRECORDED).text,
)
