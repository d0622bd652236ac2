"""Volatile texts renamed: real requests of agents from two machines and days are equal."""

import json  # noqa: TID251  JSON within JSON, with escapes
import re
import time
from functools import cache

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptdeck.core.interaction import Request
from promptdeck.core.matching.normalize import Normalized, normalize
from promptdeck.core.matching.presets import PRESETS
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from tests import ROOT

# What the agents really sent in the last turn of one run, in two folders, for two users, on two
# days: the texts around what differs, without the rest of their long prompts and tools.
RUNS = json.loads((ROOT / "tests/core/matching/agent_runs.json").read_text())
AGENTS = [name for name in PRESETS if name in RUNS]
REDACTOR = Redactor(())

# Words of the recorded texts that a preset names, although they are the same in both.
NAMED = re.compile(
    r"gitStatus|Current branch|Main branch|Status:|Recent commits|first |clean|opencode\.json"
    r"|x-anthropic-billing|master|Chunk ID|Wall time|date|seconds"
)


@cache
def rules(*names: str) -> Rules:
    return Rules.build(preset=names)


def form(body, *names: str, target: str = "/v1/chat/completions") -> Normalized:
    request = Request("POST", target, "application/json", json.dumps(body).encode())
    return normalize(request, rules(*names), REDACTOR)


def chat(system: str, *messages: dict) -> dict:
    return {"model": "m", "messages": [{"role": "system", "content": system}, *messages]}


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def leaves(value, path=()):
    """Each string of a value and the keys that lead there."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in pairs:
            yield from leaves(item, (*path, key))


def replaced(value, path, text):
    """A copy of a value with another string at a path."""
    if not path:
        return text
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], text)
    return copy


@pytest.mark.parametrize("agent", AGENTS)
def test_a_real_run_is_the_same_elsewhere_and_the_day_after(agent: str) -> None:
    run = RUNS[agent]
    here, there = (form(run[side], agent, target=run["target"]) for side in ("here", "there"))
    assert here.canonical == there.canonical
    assert here.learnt["⟨cwd⟩"] == "/home/ann/proj"
    assert there.learnt["⟨cwd⟩"] == "/srv/people/bob/work/other-repo"
    for volatile in ("ann", "bob", "2026", "other-repo"):
        assert not re.search(rf"\b{volatile}\b", here.canonical.decode())


@pytest.mark.parametrize("agent", AGENTS)
def test_without_a_preset_it_is_another_request(agent: str) -> None:
    run = RUNS[agent]
    here, there = (form(run[side], target=run["target"]) for side in ("here", "there"))
    assert here.canonical != there.canonical
    assert not here.learnt


@pytest.mark.parametrize("agent", AGENTS)
@given(data=st.data())
def test_every_other_word_still_counts(agent: str, data: st.DataObject) -> None:
    run = RUNS[agent]
    body = {key: item for key, item in run["there"].items() if key != "metadata"}
    body = {
        key: item for key, item in body.items() if not key.startswith(("prompt_cache", "client_"))
    }
    same = dict(leaves(run["here"]))
    # What is the same in both runs, to a word, is not volatile unless the preset names it.
    texts = [
        (path, text)
        for path, text in leaves(body)
        if path[-1]
        not in (
            "id",
            "call_id",
            "tool_use_id",
            "tool_call_id",
            "encrypted_content",
            "thoughtSignature",
        )
        and "cache_control" not in path
    ]
    path, text = data.draw(st.sampled_from(texts))
    words = [
        word
        for word in re.finditer(r"[A-Za-z]{3,}", text)
        if word[0] in re.findall(r"[A-Za-z]{3,}", same.get(path, ""))
        and not NAMED.search(_line(text, word.start()))
        and not re.search(r"[\w./~-]", text[word.end() : word.end() + 1])
        and not re.search(r"[\w./~-]", text[word.start() - 1 : word.start()])
    ]
    assume(words)
    word = data.draw(st.sampled_from(words))
    other = f"{text[: word.start()]}zebra{text[word.end() :]}"
    changed = replaced(body, path, other)
    # Some words count in no case: their dialect says so.
    assume(
        form(changed, target=run["target"]).canonical != form(body, target=run["target"]).canonical
    )
    changed = form(changed, agent, target=run["target"])
    assert changed.canonical != form(body, agent, target=run["target"]).canonical


def _line(text: str, at: int) -> str:
    """The line in which a place of a text is."""
    return text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]


PATHS = st.from_regex(r"\A/(?:[a-z][a-z0-9 é_]{0,6}[a-z]/){0,3}[a-z0-9é_-]{2,8}\Z")


@given(here=PATHS, there=PATHS)
def test_a_working_directory_is_renamed_in_every_form_it_takes(here: str, there: str) -> None:
    def asked(cwd: str) -> dict:
        arguments = json.dumps({"path": f"{cwd}/notes.txt", "deep": json.dumps({"at": f"{cwd}/x"})})
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": "r", "arguments": arguments},
        }
        return chat(
            f"<env>\n  Working directory: {cwd}\n</env>",
            user("read it"),
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": f"<path>{cwd}/notes.txt</path>"},
        )

    # A last folder with a blank in it cannot be told from words that follow a path.
    assert form(asked(here), "agent").canonical == form(asked(there), "agent").canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # What a person asks about is no machine's.
        ("What happened on 2026-11-28?", "What happened on 2026-11-29?"),
        ("Open /home/ann/a.txt", "Open /home/ann/b.txt"),
        ("Open /srv/other/a.txt", "Open /srv/another/a.txt"),
        ("Platform: Instagram", "Platform: TikTok"),
        ("Platform: linux users pay less", "Platform: darwin users pay less"),
        ("Shell: take the eggs out", "Shell: take the nuts out"),
        ("User: delete it", "User: keep it"),
        ("Working directory: the attic", "Working directory: the cellar"),
        ("Working directory: /work/a and delete it", "Working directory: /work/a and keep it"),
        ("Today's date is easy to forget", "Today's date is hard to forget"),
        ("Current time: late", "Current time: early"),
        ("Session ID: none", "Session ID: lost"),
        ("the session id is needed by 12345 people", "the session id is needed by 54321 people"),
        ("⟨cwd⟩", "/work/a"),
        ("/work/abc", "/work/a"),
        ("x/work/a", "x/work/b"),
        ("run 12345678", "run 87654321"),
        ("Compare the memory at `/srv/a`", "Compare the memory at `/srv/b`"),
        ("Delete /srv/a/.cache/ now", "Delete /srv/b/.cache/ now"),
        ("Read /srv/a/.claude/x", "Read /srv/b/.claude/x"),
        ("Contents of /srv/a/.claude/CLAUDE.md are", "Contents of /srv/b/.claude/CLAUDE.md are"),
    ],
)
def test_what_only_looks_volatile_counts(one: str, other: str) -> None:
    forms = {
        form(chat("Working directory: /work/a\n", user(text)), *PRESETS).canonical
        for text in (one, other)
    }
    assert len(forms) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Today's date is 2026-11-28.", "Today's date is 2027-01-02."),
        ("Today's date: Sat Nov 28 2026", "Today's date: Fri Jan 1 2027"),
        (
            "The current date is Saturday, November 28, 2026",
            "The current date is Monday, May 4, 2026",
        ),
        ("Current time: 2026-11-28T10:22:03.123Z", "Current time: 2026-12-01T00:00:00Z"),
        (
            "Current date and time: 11/28/2026, 3:04:05 PM",
            "Current date and time: 1/2/2027, 11:00:00 AM",
        ),
        ("Current time: 10:22", "Current time: 23:59"),
        ("Operating System: Linux 6.1.0-18-amd64", "Operating System: macOS 15.1"),
        ("OS Version: Windows 11 build 22631", "OS Version: Darwin 25.1.0"),
        ("OS Version: Windows 11 Pro 10.0.26100", "OS Version: Linux 6.8.0-45-generic"),
        ("Shell: PowerShell", "Shell: bash"),
        ("Default Shell: /bin/zsh", "Default Shell: /usr/bin/bash"),
        ("Hostname: vm-7", "Hostname: anns-laptop.local"),
        ("Session ID: ses_dde5e92feffeHOcUw", "Session ID: ses_1111112feffeHOcUw"),
        ("Home directory: /Users/ann", "Home directory: /home/bob"),
        ("Home directory: C:\\Users\\ann", "Home directory: C:\\Users\\bob"),
        ("Current branch: main", "Current branch: fix/a"),
        ("log in /tmp/tmpab12cd34/log", "log in /tmp/tmpzz12cd35/log"),
        ("of 6f1c2a52-0000-4000-8000-0123456789ab", "of 7f1c2a52-0000-4000-8000-0123456789ab"),
        ("see ~/x and /home/ann/.config/x", "see ~/x and /root/.config/x"),
    ],
)
def test_what_agents_say_of_machine_and_day_is_renamed(one: str, other: str) -> None:
    forms = {form(chat(f"You help.\n{text}\nGo."), "agent").canonical for text in (one, other)}
    assert len(forms) == 1


def test_the_home_of_claude_code_is_told_by_the_instructions_in_it() -> None:
    def asked(home: str) -> dict:
        told = f"Contents of {home}/.claude/CLAUDE.md (user's private global instructions for all"
        return chat("You help.", user(f"{told} projects):\n\nBe terse."), user(f"See {home}/x"))

    forms = {
        form(asked(home), "claude-code").canonical for home in ("/srv/people/bob", "/Users/ann")
    }
    assert len(forms) == 1


def test_what_tools_and_the_model_say_teaches_nothing() -> None:
    forms = set()
    for path in ("/work/a", "/work/b"):
        said = {"role": "assistant", "content": f"Working directory: {path}"}
        forms.add(form(chat("You help.", user("go"), said), "agent").canonical)
    assert len(forms) == 2


def test_two_ids_stay_two_and_each_keeps_its_name() -> None:
    def asked(first: str, second: str, results: tuple[str, str]) -> dict:
        function = {"name": "f", "arguments": "{}"}
        calls = [{"id": name, "type": "function", "function": function} for name in (first, second)]
        answers = [
            {"role": "tool", "tool_call_id": name, "content": str(n)}
            for n, name in enumerate(results)
        ]
        return chat("You help.", user("go"), {"role": "assistant", "tool_calls": calls}, *answers)

    ab, xy = (
        form(asked(*pair, pair), "agent")
        for pair in (("call_a1", "call_b2"), ("call_x9", "call_y8"))
    )
    assert ab.canonical == xy.canonical
    assert ab.learnt == {"⟨call-1⟩": "call_a1", "⟨call-2⟩": "call_b2"}
    crossed = form(asked("call_a1", "call_b2", ("call_b2", "call_a1")), "agent")
    assert crossed.canonical != ab.canonical


def test_an_id_in_arguments_is_no_call_id() -> None:
    def asked(order: str) -> dict:
        block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"id": order}}
        return {"model": "m", "messages": [user("go"), {"role": "assistant", "content": [block]}]}

    one, other = (
        form(asked(name), "claude-code", target="/v1/messages")
        for name in ("o-1234567", "o-7654321")
    )
    assert one.canonical != other.canonical


TEXT = st.text("ab/⟨⟩\0\n .-é\\\"'`<", max_size=12) | st.sampled_from(
    ["Working directory: /a/b\n", "⟨cwd⟩", "/a/b", "Today's date is 2026-11-28.", "- `r0` = `/a/c`"]
)
BODIES = st.recursive(
    st.none() | st.integers(-9, 9) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "role", "content", "messages", "type"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(system=TEXT, body=BODIES)
def test_names_can_be_put_back(system: str, body) -> None:
    value = {"system": system, "x": body}
    found = form(value, *PRESETS, target="/v1/messages")
    back = found.canonical.decode()
    assert form(json.loads(back.partition("\n")[2]), target="/v1/messages")
    names = sorted(found.learnt, key=len, reverse=True)
    # Whoever knows what was learnt can tell the request again, but for what is not learnt.
    for name in names:
        back = re.sub(
            rf"(?<!⟨){re.escape(name)}", lambda _, n=name: json.dumps(found.learnt[n])[1:-1], back
        )
    if not re.search(r"(?<!⟨)⟨(?!⟨)", back.replace("⟨⟨", "")):
        again = json.loads(back.replace("⟨⟨", "⟨").partition("\n")[2])
        assert (
            form(again, target="/v1/messages").canonical
            == form(value, target="/v1/messages").canonical
        )


@given(order=st.permutations(["cwd", "id", "z", "a"]))
def test_the_order_of_keys_does_not_count(order: list[str]) -> None:
    values = {"cwd": "<cwd>/a/b</cwd>", "id": "7f1c2a52-0000-4000-8000-0123456789ab",
              "z": "8f1c2a52-0000-4000-8000-0123456789ab", "a": "<cwd>/c/d</cwd>"}  # fmt: skip
    bodies = [{"x": {key: values[key] for key in keys}} for keys in (order, sorted(order))]
    assert len({form(body, "agent", target="/v1/messages").canonical for body in bodies}) == 1


@pytest.mark.parametrize(
    "piece",
    [hint for preset in PRESETS.values() for spot in preset.spots for hint in spot.hints]
    + [
        "/.claude",
        "Working directory: / ",
        "Working directory: /" + "a /" * 50,
        "-0000-0000-",
        "\0\n",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    filled = f"{piece} /{'a' * 50} " if len(piece) < 40 else piece
    text = filled * (200_000 // len(filled))
    begin = time.process_time()
    form(chat(text), *PRESETS)
    # 200 KB of an agent's prompt take 8 ms; here every word hints at something.
    assert time.process_time() - begin < 1.5


def test_a_prompt_of_200_kb_is_renamed_fast() -> None:
    run = RUNS["claude-code"]["there"]
    words = "Use the dedicated tools; keep the answer short, and say what was tried.\n" * 40
    tools = [
        {"name": f"t{n}", "description": words, "input_schema": {"type": "object"}}
        for n in range(68)
    ]
    body = json.dumps({**run, "tools": tools}).encode()
    assert len(body) > 190_000
    request = Request("POST", "/v1/messages", "application/json", body)
    took = []
    for preset in ((), ("claude-code",)):
        found = rules(*preset)
        times = []
        for _ in range(5):
            begin = time.process_time()
            normalize(request, found, REDACTOR)
            times.append(time.process_time() - begin)
        took.append(min(times))
    assert took[1] - took[0] < 0.01
