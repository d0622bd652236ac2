"""Real clients: recorded from providers that speak exactly, replayed with the providers gone.

    python tests/conformance/clients.py [CLIENT ...]

Each client's program in clients/ runs three times under `promptdeck run`, with only the
variables that `run` sets: recording; replaying, where it must say the same again; and asking
what was not recorded, which must be told at once, readably, after one request. No key may be
left in any file. Prints a table; exit code 1 if a promise was broken.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

import click
import orjson
from turns import KEYS
from workshop import (
    FRAMEWORKS_PYTHON,
    HERE,
    NODE,
    PYTHON,
    WORKSHOP,
    environment,
    prepare,
    started,
)

LOG = WORKSHOP / "log" / "clients"
LONGEST = 60
"""Seconds that one run of a program may take."""

UPSTREAMS = {
    "PROMPTDECK_UPSTREAM_URL": "/openai/v1",
    "PROMPTDECK_UPSTREAM_ANTHROPIC": "/anthropic/v1",
    "PROMPTDECK_UPSTREAM_GOOGLE": "/google/v1",
    "PROMPTDECK_UPSTREAM_AZURE": "/azure",
    "PROMPTDECK_UPSTREAM_COHERE": "/cohere/v1",
    "PROMPTDECK_UPSTREAM_OLLAMA": "/ollama/v1",
}
"""Where each provider is, below protocols.py."""
VARIABLES = {
    "OPENAI_API_KEY": "openai",
    "ANTHROPIC_API_KEY": "anthropic",
    "GEMINI_API_KEY": "google",
    "GOOGLE_GENERATIVE_AI_API_KEY": "google",
    "AZURE_OPENAI_API_KEY": "azure",
    "CO_API_KEY": "cohere",
    "MISTRAL_API_KEY": "mistral",
    "GROQ_API_KEY": "groq",
}
"""In which each provider's key is brought while recording."""


class Client(NamedTuple):
    name: str
    package: str
    """Whose version is told."""
    base_url: str
    """What it finds promptdeck by."""
    program: str
    """In clients/, with an argument behind it where it takes one."""
    framework: bool = False
    """Whether it is one of frameworks.txt."""
    upstream: str = ""
    """The path of its provider, where that is not of UPSTREAMS."""

    @property
    def folder(self) -> Path:
        """Where it runs: cassette and logs."""
        return LOG / self.name.replace(" ", "-").replace("/", "")

    @property
    def command(self) -> list[str]:
        program, *arguments = self.program.split()
        if program.endswith(".mjs"):
            # Modules are found from where a program lies.
            return ["node", str(NODE / program), "{}", *arguments]
        python = FRAMEWORKS_PYTHON if self.framework else PYTHON
        return [str(python), str(HERE / "clients" / program), "{}", *arguments]

    @property
    def version(self) -> str:
        if self.program.split()[0].endswith(".mjs"):
            described = NODE / "node_modules" / self.package / "package.json"
            return str(orjson.loads(described.read_bytes())["version"])
        python = FRAMEWORKS_PYTHON if self.framework else PYTHON
        sites = [str(site) for site in python.parents[1].glob("lib/python*/site-packages")]
        return next(d.version for d in distributions(name=self.package, path=sites))


_framework = partial(Client, framework=True)
_ANTHROPIC, _GOOGLE = "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"
_OPENAI, _AZURE = "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"
_ARGUMENT = "its argument"
_PYDANTIC = "with_pydantic_ai.py"
CLIENTS = (
    Client("anthropic py", "anthropic", _ANTHROPIC, "with_anthropic.py"),
    Client("anthropic node", "@anthropic-ai/sdk", _ANTHROPIC, "with_anthropic.mjs"),
    Client("google-genai py", "google-genai", _GOOGLE, "with_google_genai.py"),
    Client("google-genai node", "@google/genai", _GOOGLE, "with_google_genai.mjs"),
    Client("openai Responses py", "openai", _OPENAI, "with_openai.py"),
    Client("openai Responses node", "openai", _OPENAI, "with_openai.mjs"),
    Client("AzureOpenAI py", "openai", _AZURE, "with_azure.py"),
    Client("AzureOpenAI node", "openai", _OPENAI, "with_azure.mjs"),
    Client("AI SDK openai", "@ai-sdk/openai", _OPENAI, "with_ai_sdk.mjs openai"),
    Client("AI SDK anthropic", "@ai-sdk/anthropic", _ANTHROPIC, "with_ai_sdk.mjs anthropic"),
    Client("AI SDK anthropic /v1", "@ai-sdk/anthropic", _ARGUMENT, "with_ai_sdk.mjs anthropic/v1"),
    Client("AI SDK google", "@ai-sdk/google", _ARGUMENT, "with_ai_sdk.mjs google"),
    _framework(
        "langchain-anthropic", "langchain-anthropic", _ANTHROPIC, "with_langchain_anthropic.py"
    ),
    _framework(
        "pydantic-ai anthropic",
        "pydantic-ai-slim",
        _ANTHROPIC,
        f"{_PYDANTIC} anthropic:claude-opus-5-5",
    ),
    _framework(
        "pydantic-ai google",
        "pydantic-ai-slim",
        _GOOGLE,
        f"{_PYDANTIC} google:gemini-3.8-flash",
    ),
    _framework(
        "pydantic-ai openai", "pydantic-ai-slim", _OPENAI, f"{_PYDANTIC} openai:gpt-6.2-sol"
    ),
    _framework("openai-agents", "openai-agents", _OPENAI, "with_openai_agents.py"),
    Client("mistralai", "mistralai", _ARGUMENT, "with_mistralai.py", upstream="/mistral/v1"),
    Client("groq", "groq", _ARGUMENT, "with_groq.py", upstream="/groq/openai/v1"),
    Client("cohere", "cohere", "CO_API_URL", "with_cohere.py"),
    Client("ollama", "ollama", "OLLAMA_HOST", "with_ollama.py"),
)


_CHATS = ("anthropic/claude-opus-5-5", "google/gemini-3.8-flash", "answers/gpt-6.2-sol")
"""Models that do not speak chat completions: that of `answers` speaks Responses."""
_OTHERS = {
    "openai chat py": ("openai", _OPENAI, "with_openai_chat.py", _CHATS),
    "openai chat node": ("openai", _OPENAI, "with_openai_chat.mjs", _CHATS),
    "dedalus_labs": ("dedalus_labs", "DEDALUS_BASE_URL", "with_dedalus.py", _CHATS),
    "anthropic py": (
        "anthropic",
        _ANTHROPIC,
        "with_anthropic.py",
        ("mistral/mistral-large-latest", *_CHATS[1:]),
    ),
    "google-genai py": (
        "google-genai",
        _GOOGLE,
        "with_google_genai.py",
        ("mistral/mistral-large-latest", _CHATS[0], _CHATS[2]),
    ),
    "openai Responses py": (
        "openai",
        _OPENAI,
        "with_openai.py",
        ("mistral/mistral-large-latest", *_CHATS[:2]),
    ),
    "AI SDK chat": ("@ai-sdk/openai", _OPENAI, "with_ai_sdk.mjs chat", _CHATS),
    "AI SDK messages": ("@ai-sdk/anthropic", _ANTHROPIC, "with_ai_sdk.mjs messages", _CHATS[1:]),
}
_OTHERS_OF_FRAMEWORKS = {
    "langchain-openai": ("langchain-openai", _OPENAI, "with_langchain_openai.py", _CHATS),
    "langchain-anthropic": (
        "langchain-anthropic",
        _ANTHROPIC,
        "with_langchain_anthropic.py",
        _CHATS[1:],
    ),
    "pydantic-ai": (
        "pydantic-ai-slim",
        _OPENAI,
        _PYDANTIC,
        tuple(f"openai-chat:{model}" for model in _CHATS),
    ),
}
"""Clients that ask models of other protocols than theirs: package, base_url, program, models."""
TRANSLATED = tuple(
    Client(
        f"{name} > {model.rpartition('/')[2]}", package, base_url, f"{program} {model}", framework
    )
    for framework, some in ((False, _OTHERS), (True, _OTHERS_OF_FRAMEWORKS))
    for name, (package, base_url, program, models) in some.items()
    for model in models
)
ALL = CLIENTS + TRANSLATED


class Run(NamedTuple):
    """A program that has run."""

    code: int
    said: dict[str, Any]
    """By step; a miss says `error` and `text`."""
    summary: str
    """promptdeck's last line."""


class Row(NamedTuple):
    """What came of a client."""

    client: Client
    recorded: Run
    replayed: Run
    missed: Run
    complaints: list[str]

    def cells(self) -> list[str]:
        said, again = self.recorded.said, self.replayed.said
        fine = {step: bool(said.get(step)) and said[step] == again.get(step) for step in said}
        text = str(self.missed.said.get("text", ""))
        # What the client writes before it, and the begin of what promptdeck says.
        shown = re.search(r"^(.*?No recording matches this request)", text, re.DOTALL)
        return [
            self.client.name,
            self.client.version,
            self.client.base_url,
            _number(self.recorded.summary, "recorded"),
            _number(self.replayed.summary, "hit"),
            *("yes" if fine.get(word) else "NO" for word in ("stream", "tools")),
            f"`{self.missed.said.get('error')}`: {shown[1].strip() if shown else text[:60]} ...",
        ]


def _number(summary: str, word: str) -> str:
    found = re.search(rf"(\d+) {word}", summary)
    return found[1] if found else "?"


def record(client: Client, root: str) -> Run:
    """Run a client's program against the providers at `root`, each with its own key."""
    upstreams = {name: root + path for name, path in UPSTREAMS.items()}
    if client.upstream:
        upstreams["PROMPTDECK_UPSTREAM_URL"] = root + client.upstream
    keys = {name: KEYS[provider] for name, provider in VARIABLES.items()}
    answers = {"dialect": ["responses"], "base_url": f"{root}/openai/v1", "api_key": KEYS["openai"]}
    # Their keys are in the environment.
    own = ("anthropic", "google", "mistral")
    named = {"answers": answers, **{name: {"base_url": f"{root}/{name}/v1"} for name in own}}
    upstreams["PROMPTDECK_UPSTREAMS"] = orjson.dumps(named).decode()
    return _run(client, "record", "recorded", **upstreams, **keys)


def _run(client: Client, mode: str, which: str, **variables: str) -> Run:
    """Run a client's program under `promptdeck run`; what it said on stderr is kept in LOG."""
    client.folder.mkdir(parents=True, exist_ok=True)
    command = [word.replace("{}", which) for word in client.command]
    promptdeck = [str(Path(sys.executable).with_name("promptdeck")), "run", "--mode", mode]
    fails = "miss,unused,bypass" if which == "recorded" else "miss,bypass"
    promptdeck += ["--cassette", "it", "--fail-on", fails, "--log-level", "info"]
    with (client.folder / f"{mode}-{which}.txt").open("w+") as err:
        done = subprocess.run(
            [*promptdeck, "--", *command],
            stdout=subprocess.PIPE,
            stderr=err,
            cwd=client.folder,
            env=environment(CI="", XDG_CACHE_HOME=str(client.folder), **variables),
            timeout=LONGEST,
        )
        err.seek(0)
        told = [line for line in err.read().splitlines() if line.startswith("promptdeck: ")]
    said: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith(b"{"):  # the AI SDK warns there, too
            said |= orjson.loads(line)
    return Run(done.returncode, said, " ".join(told))


def judged(client: Client, recorded: Run) -> Row:
    """Replay what was recorded, ask what was not, and say what is wrong."""
    replayed = _run(client, "replay", "recorded")
    missed = _run(client, "replay", "unrecorded")
    return Row(client, recorded, replayed, missed, [*_wrong(client, recorded, replayed, missed)])


def _wrong(client: Client, recorded: Run, replayed: Run, missed: Run) -> Iterator[str]:
    if recorded.code:
        yield f"recording ended with {recorded.code}: {recorded.summary}"
    if not {"plain", "stream", "tools"} <= recorded.said.keys():
        yield f"recorded only {', '.join(recorded.said) or 'nothing'}"
    if replayed.code or " 0 misses" not in replayed.summary:
        yield f"replay ended with {replayed.code}: {replayed.summary}"
    for step, said in recorded.said.items():
        if replayed.said.get(step) != said:
            yield f"{step} said {said!r}, and replayed {replayed.said.get(step)!r}"
    text = str(missed.said.get("text", ""))
    if "No recording matches" not in text:
        yield f"a miss says {missed.said}"
    # 6 is promptdeck's: the program has ended well, as it caught the error.
    if missed.code != 6 or "0 hits, 1 miss," not in missed.summary:
        yield f"a miss ended with {missed.code}: {missed.summary}"
    if client in TRANSLATED and "dialect=" not in (client.folder / "cassettes/it.yaml").read_text():
        yield "nothing was translated"
    yield from _kept_keys(client)


def _kept_keys(client: Client) -> Iterator[str]:
    """Where a key was left, cassette and log alike."""
    for path in client.folder.rglob("*"):
        kept = path.read_bytes() if path.is_file() else b""
        for name, key in KEYS.items():
            if key.encode() in kept:
                yield f"the key of {name} is in {path.relative_to(client.folder)}"


HEAD = "client version base_url~by recorded replayed stream tools a~miss~shows".split()


def table(rows: list[Row]) -> Iterator[str]:
    yield "| " + " | ".join(word.replace("~", " ") for word in HEAD) + " |"
    yield "|--" * len(HEAD) + "|"
    for row in rows:
        yield "| " + " | ".join(row.cells()) + " |"


def main(names: list[str]) -> int:
    if unknown := set(names) - {client.name for client in ALL}:
        raise SystemExit(f"no client {', '.join(unknown)}; {__doc__}")
    prepare()
    shutil.rmtree(LOG, ignore_errors=True)
    LOG.mkdir(parents=True)
    for program in (HERE / "clients").glob("*.mjs"):
        shutil.copy(program, NODE)
    chosen = [client for client in ALL if not names or client.name in names]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        log = LOG / "providers.txt"
        with started(log, sys.executable, str(HERE / "protocols.py")) as root:
            recorded = list(pool.map(partial(record, root=root), chosen))
        # Nothing listens there any more.
        rows = list(pool.map(judged, chosen, recorded))
    refused = log.read_text().splitlines()
    for row in rows:
        for complaint in row.complaints:
            click.echo(f"{row.client.name}: {complaint}")
    for line in refused:
        click.echo(f"providers: {line}")
    click.echo("\n".join(["", *table(rows), ""]))
    failed = sum(bool(row.complaints) for row in rows)
    click.echo(f"{len(rows) - failed} clients replay, {failed} do not")
    return bool(failed or refused)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
