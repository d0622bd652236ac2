"""What the programs of this folder ask, each with a client of its own, and how they tell of it.

    python with_CLIENT.py recorded|unrecorded [MODEL]

A program gives `main` functions that ask by its client and return what came. `recorded` runs all
but the last and prints what each returned; `unrecorded` runs that, and prints the error that the
client raises. Retries, timeouts and all else stay as the client has them. With MODEL, whoever's
that is, it asks for that one in place of its own provider's, and for nothing but answers.
"""

import asyncio
import inspect
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

PLAIN = "Say anything."
STREAMED = "Say anything, word by word."
WEATHER = "How is the weather in Zürich? Look it up."
UNRECORDED = "Say something else."
"""Prompts."""

RETURNED = "21 degrees"
"""What the tool returns."""
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
"""Of the tool's arguments."""
FUNCTION = {"name": "weather", "description": "Tells the weather.", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
"""The tool as chat completions have it."""


_OWN = ("count", "models")
"""Steps that ask a client's own provider for something else than an answer."""


def model(own: str) -> str:
    """The model to ask for: that of the command line, or the client's own."""
    return sys.argv[2] if len(sys.argv) > 2 else own


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def weather(city: str) -> str:
    """Tells the weather."""
    assert city == "Zürich", city
    return RETURNED


def main(**steps: Callable[[], Any]) -> None:
    """Run the steps that the command line asks for; the last one is of what is not recorded."""
    warnings.simplefilter("ignore")
    if len(sys.argv) > 2:
        steps = {name: step for name, step in steps.items() if name not in _OWN}
    asyncio.run(_run(steps))


async def _run(steps: dict[str, Callable[[], Any]]) -> None:
    *recorded, (_, last) = steps.items()
    if sys.argv[1] == "recorded":
        for name, step in recorded:
            print(json.dumps({name: await _result(step)}, ensure_ascii=False), flush=True)
        return
    try:
        print(json.dumps({"answer": await _result(last)}))
    except Exception as error:
        kind = f"{type(error).__module__.split('.')[0]}.{type(error).__name__}"
        print(json.dumps({"error": kind, "text": str(error)}, ensure_ascii=False))


async def _result(step: Callable[[], Any]) -> Any:
    made = step()
    return await made if inspect.isawaitable(made) else made
