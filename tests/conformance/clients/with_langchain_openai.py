"""LangChain's client for OpenAI's chat completions."""

from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from steps import PLAIN, RETURNED, STREAMED, UNRECORDED, WEATHER, main, weather
from steps import model as named

model = ChatOpenAI(model=named("gpt-6.2-sol"))


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
