"""Coding agents: recorded in one folder, replayed in another, for another user, a day later.

    python tests/conformance/agents.py [AGENT ...]

Each reads a file and says what is in it. The replay has another working directory, another home
and user, a clock that is 27 hours on (libfaketime), a time zone whose date is always later, and
nothing but the agent's `match.preset`; the providers are gone. It must hit throughout and say
the same; another task must be told as a miss. An agent that does not install is skipped, and why
is said. Prints a table; exit code 1 if a promise was broken.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
from turns import KEYS
from workshop import HERE, WORKSHOP, environment, install_node, started

INSTALLED = WORKSHOP.with_name(".agents")
"""Apart from what the other runs need: these packages are 1 GB."""
LOG = INSTALLED / "log"
TASK = "Read notes.txt and tell me its first line."
OTHER_TASK = "Count the words in notes.txt."
LINE = "hello from the notes"
LATER = "+27h"
ZONES = {"record": "Pacific/Pago_Pago", "replay": "Pacific/Kiritimati"}
"""25 hours apart: codex is linked statically, so that libfaketime cannot tell it another date."""
LONGEST = 240
"""Seconds that one run of an agent may take."""


class Agent(NamedTuple):
    name: str
    package: str
    """On npm, with its version."""
    preset: str
    base_url: str
    """What it finds promptdeck by."""
    script: str
    """For a shell: starts it in the current folder with the task in $TASK."""
    variables: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    """Its configuration, by the path below its user's home."""

    @property
    def modules(self) -> Path:
        return INSTALLED / self.name / "node_modules"

    @property
    def folder(self) -> Path:
        """Logs and cassette."""
        return LOG / self.name


_CODEX = """
model = "gpt-5.4"
model_provider = "deck"
[model_providers.deck]
name = "deck"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
"""
_OPENCODE = """{
  "provider": {"deck": {
    "npm": "@ai-sdk/openai-compatible", "name": "deck", "models": {"gpt-6.2-sol": {}},
    "options": {"baseURL": "{env:OPENAI_BASE_URL}", "apiKey": "{env:OPENAI_API_KEY}"}
  }},
  "model": "deck/gpt-6.2-sol", "autoupdate": false, "share": "disabled"
}"""
AGENTS = (
    Agent(
        "claude",
        "@anthropic-ai/claude-code@2.1.197",
        "claude-code",
        "ANTHROPIC_BASE_URL",
        'exec claude -p "$TASK" --dangerously-skip-permissions',
        # It lets root skip permissions in a sandbox only.
        {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "IS_SANDBOX": "1"},
    ),
    Agent(
        "codex",
        "@openai/codex@0.171.0",
        "codex",
        "config.toml: model_providers.NAME.base_url",
        'exec codex exec -c "model_providers.deck.base_url=\\"$OPENAI_BASE_URL\\""'
        ' --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox "$TASK"',
        files={".codex/config.toml": _CODEX},
    ),
    Agent(
        "gemini",
        "@google/gemini-cli@0.61.0",
        "gemini-cli",
        "GOOGLE_GEMINI_BASE_URL",
        'exec gemini -p "$TASK" --yolo -m gemini-2.5-flash',
        {"GEMINI_CLI_TRUST_WORKSPACE": "true"},
        {".gemini/settings.json": '{"security": {"auth": {"selectedType": "gemini-api-key"}}}'},
    ),
    Agent(
        "opencode",
        "opencode-ai@1.18.33",
        "opencode",
        "opencode.json: provider.NAME.options.baseURL",
        'exec opencode run "$TASK"',
        {"OPENCODE_DISABLE_MODELS_FETCH": "1"},
        {".config/opencode/opencode.json": _OPENCODE},
    ),
)


class Run(NamedTuple):
    code: int
    told: str
    """What the agent wrote, on stdout and stderr alike, and promptdeck's last lines."""

    def number(self, word: str) -> str:
        found = re.search(rf"^promptdeck: .*?(\d+) {word}", self.told, re.MULTILINE)
        return found[1] if found else "?"


# In the agent's words; promptdeck's own line in the log ends there with a full stop.
_SHOWN = re.compile(r"^.*?([^\n\x1b]{0,60}No recording matches this request);", re.MULTILINE)


class Row(NamedTuple):
    agent: Agent
    recorded: Run
    replayed: Run
    missed: Run

    def complaints(self) -> Iterator[str]:
        if self.recorded.code or LINE not in self.recorded.told:
            yield f"recording ended with {self.recorded.code}: {self.recorded.told[-400:]}"
        if self.replayed.code or self.replayed.number("misses") != "0":
            yield f"replay ended with {self.replayed.code}: {self.replayed.told[-400:]}"
        if LINE not in self.replayed.told:
            yield "the replay does not tell the line"
        if self.replayed.number("hits?") != self.recorded.number("recorded"):
            yield "the replay did not ask for all that was recorded"
        if not self.missed.code or not _SHOWN.search(self.missed.told):
            yield f"a miss ended with {self.missed.code}: {self.missed.told[-400:]}"
        for path in self.agent.folder.rglob("*"):
            kept = path.read_bytes() if path.is_file() else b""
            yield from (
                f"the key of {n} is in {path.name}" for n in KEYS if KEYS[n].encode() in kept
            )

    def cells(self) -> list[str]:
        shown = _SHOWN.search(self.missed.told)
        last = shown[1].strip()[-60:] if shown else "NOT SHOWN"
        return [
            self.agent.name,
            self.agent.package.rpartition("@")[2],
            self.agent.base_url,
            self.recorded.number("recorded"),
            self.replayed.number("hits?"),
            "yes" if LINE in self.replayed.told else "NO",
            f"exit {self.missed.code}, {self.missed.number('miss')} asked: {last}",
        ]


def installed(agent: Agent) -> str:
    """Install an agent; why it cannot be, or nothing."""
    ready = agent.modules.parent / "ready"
    if ready.exists() and ready.read_text() == agent.package:
        return ""
    if not shutil.which("npm"):
        return "there is no npm"
    try:
        install_node(agent.modules.parent, (agent.package,))
    except subprocess.CalledProcessError as error:
        return f"npm install {agent.package} ended with {error.returncode}"
    ready.write_text(agent.package)
    return ""


def place(agent: Agent, home: Path, project: str) -> Path:
    """A user's home with the agent's configuration, and a repository in it."""
    folder = home / project
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text(f"{LINE}\nsecond line\n")
    for path, text in agent.files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    who = ["-c", f"user.name={home.name}", "-c", f"user.email={home.name}@{home.name}.example"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", f"by {home.name}"]):
        subprocess.run(["git", *who, *command], cwd=folder, check=True)
    return folder


def run(agent: Agent, mode: str, folder: Path, home: Path, task: str, **variables: str) -> Run:
    """Run an agent under `promptdeck run`; what it wrote is kept in its folder."""
    promptdeck = [str(Path(sys.executable).with_name("promptdeck")), "run", "--mode", mode]
    promptdeck += ["--cassettes", str(agent.folder / "cassettes"), "--cassette", "run"]
    command = ["sh", "-c", agent.script]
    if mode == "replay":
        # What else an agent tries to reach in vain is told, and is not what is tested here.
        promptdeck += ["--fail-on", "miss"]
        command = ["faketime", "-f", LATER, *command] if shutil.which("faketime") else command
    inner = environment(
        CI="",
        HOME=str(home),
        USER=home.name,
        LOGNAME=home.name,
        TZ=ZONES[mode],
        XDG_CACHE_HOME=str(home / ".cache"),
        **{"TASK": task, **agent.variables, **variables},
    )
    inner = {name: value for name, value in inner.items() if name not in _OF_THE_MACHINE}
    inner["PATH"] = f"{agent.modules / '.bin'}:{inner['PATH']}"
    log = agent.folder / f"{mode}-{'other' if task == OTHER_TASK else 'task'}.txt"
    with log.open("wb") as out:
        try:
            code = subprocess.run(
                [*promptdeck, "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=inner,
                timeout=LONGEST,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    return Run(code, log.read_text(errors="replace"))


_OF_THE_MACHINE = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")


def played(agent: Agent) -> Row:
    """Record an agent here, and replay it elsewhere with the providers gone."""
    shutil.rmtree(agent.folder, ignore_errors=True)
    agent.folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        ann = Path(temporary) / "home" / "ann"
        bob = Path(temporary) / "srv" / "Our People" / "bob"
        here, there = place(agent, ann, "project"), place(agent, bob, "my work/Other Repo")
        log = agent.folder / "providers.txt"
        with started(log, sys.executable, str(HERE / "protocols.py")) as root:
            upstreams = {
                "PROMPTDECK_UPSTREAM_URL": f"{root}/openai/v1",
                "PROMPTDECK_UPSTREAM_ANTHROPIC": f"{root}/anthropic/v1",
                "PROMPTDECK_UPSTREAM_GOOGLE": f"{root}/google/v1",
            }
            keys = {
                "OPENAI_API_KEY": KEYS["openai"],
                "ANTHROPIC_API_KEY": KEYS["anthropic"],
                "GEMINI_API_KEY": KEYS["google"],
            }
            recorded = run(agent, "record", here, ann, TASK, **upstreams, **keys)
        preset = {"PROMPTDECK_MATCH_PRESET": agent.preset}
        replayed = run(agent, "replay", there, bob, TASK, **preset)
        missed = run(agent, "replay", there, bob, OTHER_TASK, **preset)
    return Row(agent, recorded, replayed, missed)


HEAD = ("agent", "version", "base_url by", "recorded", "replayed", "told", "a miss shows")


def main(names: list[str]) -> int:
    if unknown := set(names) - {agent.name for agent in AGENTS}:
        raise SystemExit(f"no agent {', '.join(unknown)}; {__doc__}")
    INSTALLED.mkdir(exist_ok=True)
    (INSTALLED / ".gitignore").write_text("*\n")
    if not shutil.which("faketime"):
        click.echo("there is no faketime (Debian's package faketime): the replay is of today")
    rows, failed = [], 0
    for agent in AGENTS:
        if names and agent.name not in names:
            continue
        if why := installed(agent):
            click.echo(f"{agent.name}: skipped, {why}")
            continue
        rows.append(played(agent))
        complaints = list(rows[-1].complaints())
        failed += bool(complaints)
        for complaint in complaints:
            click.echo(f"{agent.name}: {complaint}")
    lines = [HEAD, ["--"] * len(HEAD), *(row.cells() for row in rows)]
    click.echo("\n".join(["", *("| " + " | ".join(line) + " |" for line in lines), ""]))
    click.echo(f"{len(rows) - failed} agents replay elsewhere, {failed} do not")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
