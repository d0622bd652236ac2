"""`make demo`: a real model's recorded answers, with no model, no key and no network.

Starts promptdeck in replay mode on the cassettes beside this file and asks it
through the official openai client, the way any program would.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
from record import SETTINGS, STREAMED, free_port, user, wait_for

HERE = Path(__file__).parent
BOLD, DIM, OFF = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


def main() -> None:
    """Ask the three questions of a promptdeck of our own."""
    with promptdeck() as root:
        base_url = f"{root}/cassette/streamed-chat/v1"
        # Nothing below knows of promptdeck but this one base_url.
        with openai.OpenAI(base_url=base_url, api_key="no key needed") as client:
            streamed(client)
            whole(client)
            changed(client)
    print(f"\n{BOLD}Done.{OFF} Three questions, no model, no key, no network. What to do next:")
    print("   pip install .                              the command, from this checkout")
    print("   promptdeck serve                           then paste the line `export ...`")
    print("   promptdeck run --mode record --cassette mine -- python your_app.py")
    print("   promptdeck run --mode replay --cassette mine -- python your_app.py")


def step(number: int, title: str) -> None:
    """Print the head of a step."""
    print(f"\n{BOLD}{number}. {title}{OFF}", flush=True)


def outcome(headers: Any, started: float, first: float | None = None) -> None:
    """Print what tells a recorded answer from a live one, and how long it took.

    `started` and `first` are readings of `time.perf_counter`.
    """
    took = f"{(time.perf_counter() - started) * 1000:.0f} ms"
    if first is not None:
        took += f", the first word after {(first - started) * 1000:.0f} ms"
    print(f"{DIM}   Cache-Status: {headers['cache-status']}\n   took {took}{OFF}", flush=True)


def streamed(client: openai.OpenAI) -> None:
    """Ask for a stream and print it as it comes."""
    step(1, "A question, streamed at the pace at which the model answered when it was recorded")
    print(f"   > {STREAMED}\n   ", end="", flush=True)
    started, first = time.perf_counter(), None
    raw = client.chat.completions.with_raw_response
    response = raw.create(messages=[user(STREAMED)], stream=True, **SETTINGS)
    for part in response.parse():
        text = part.choices[0].delta.content or ""
        first = first or (time.perf_counter() if text else None)
        print(text.replace("\n", "\n   "), end="", flush=True)
    print()
    outcome(response.headers, started, first)


def whole(client: openai.OpenAI) -> None:
    """Ask the same for a whole answer, which was never recorded as one."""
    step(2, "The same question, not streamed: converted from the recorded stream")
    started = time.perf_counter()
    raw = client.chat.completions.with_raw_response
    response = raw.create(messages=[user(STREAMED)], **SETTINGS)
    message = response.parse().choices[0].message
    print("   " + (message.content or "").replace("\n", "\n   "))
    outcome(response.headers, started)


def changed(client: openai.OpenAI) -> None:
    """Ask with one word changed, and print how the miss tells it; SystemExit if it is a hit."""
    question = STREAMED.replace("blue", "red")
    step(3, "One word changed: nothing was recorded for it, and the error says what differs")
    print(f"   > {question}")
    started = time.perf_counter()
    try:
        client.chat.completions.create(messages=[user(question)], **SETTINGS)
    except openai.BadRequestError as error:
        body: Any = error.body
        print(f"   {type(error).__name__} ({error.code}): {body['message']}")
        print("   " + body["details"]["diff"].rstrip().replace("\n", "\n   "))
        outcome(error.response.headers, started)
    else:
        sys.exit("the changed question was answered, which it must not be")


@contextmanager
def promptdeck() -> Iterator[str]:
    """promptdeck replaying the cassettes beside this file; its URL without /v1."""
    port = free_port()
    with tempfile.TemporaryDirectory() as scratch:
        serve = ("serve", "--mode", "replay", "--log-level=error")
        command = [sys.executable, "-m", "promptdeck", *serve]
        process = subprocess.Popen(
            [
                *(*command, "--pace", "recorded", "--port", str(port)),
                *("--cassettes", str(HERE), "--store", f"{scratch}/store.db"),
            ]
        )
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
