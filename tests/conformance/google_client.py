"""What a user of google-genai does, with a model behind promptdeck that speaks another dialect.

    python google_client.py URL MODEL

It is run by typed_google.py, with the packages of the conformance runs.
"""

import sys

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

URL, MODEL = sys.argv[1:]
CLIENT = genai.Client(api_key="AIza", http_options=types.HttpOptions(base_url=URL))


class City(BaseModel):
    name: str


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sunny in {city}"


def main() -> None:
    whole = CLIENT.models.generate_content(model=MODEL, contents="hi")
    assert whole.text == "Hello ü"
    assert whole.usage_metadata.total_token_count == 12
    pieces = [*CLIENT.models.generate_content_stream(model=MODEL, contents="hi")]
    assert [piece.text for piece in pieces] == ["Hello", " ü", ""]
    assert pieces[-1].candidates[0].finish_reason == types.FinishReason.STOP
    shaped = types.GenerateContentConfig(
        response_mime_type="application/json", response_schema=City
    )
    told = CLIENT.models.generate_content(model=MODEL, contents="hi", config=shaped)
    assert told.parsed == City(name="Bern")
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    tools = types.GenerateContentConfig(tools=[weather], thinking_config=thinking, top_k=3)
    for chat in (CLIENT.chats.create(model=MODEL, config=tools) for _ in range(2)):
        assert chat.send_message("The weather?").text == "It is sunny in Bern."
        said = [*chat.send_message_stream("And now?")]
        assert said[-1].candidates[0].finish_reason == types.FinishReason.STOP
        kept = [part for turn in chat.get_history(curated=True) for part in turn.parts]
        assert [part.text for part in kept if part.thought]
        assert len([part for part in kept if part.function_call]) == 2
    with pytest.raises(errors.ClientError) as failed:
        CLIENT.models.generate_content(model=MODEL, contents="fail")
    assert (failed.value.code, failed.value.message) == (429, "slow")
    assert failed.value.status == "RESOURCE_EXHAUSTED"


if __name__ == "__main__":
    main()
