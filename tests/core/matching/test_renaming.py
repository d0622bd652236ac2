"""Volatile texts renamed: real requests of agents from two machines and days are equal."""

import json  # noqa: TID251  JSON within JSON, with escapes
import re
import time
from functools import cache
from urllib.parse import quote, urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptdeck.core.interaction import Request
from promptdeck.core.matching.normalize import Normalized, normalize
from promptdeck.core.matching.presets import PRESETS
from promptdeck.core.matching.rules import Rules
from promptdeck.core.matching.spellings import SPELLINGS, written
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


_FOLDER = r"[A-Z0-9][a-z0-9é_&'+,-]{0,3}[a-z](?: [A-Z0-9][a-z0-9é_'&-]{0,3}[a-z0-9]){0,2}"
PATHS = st.from_regex(rf"\A/(?:{_FOLDER}/){{0,2}}{_FOLDER}\Z")
WINDOWS = st.from_regex(rf"\A[C-E]:(?:\\{_FOLDER}){{1,3}}\Z")
TOLD = st.sampled_from(
    [
        "<env>\n  Working directory: {}\n</env>",
        "<cwd>{}</cwd>",
        " - Primary working directory: {}\n",
        "Your working directory is `{}`, always.",
        'The working directory "{}" is yours.',
    ]
)


def _url(path: str) -> str:
    """The `file:` URL of a path (RFC 8089)."""
    root = "/" * (path[0] != "/")
    return f"file://{root}{quote(path.replace(chr(92), '/'), safe='/:')}"


@given(here=PATHS | WINDOWS, there=PATHS | WINDOWS, told=TOLD, data=st.data())
def test_a_working_directory_is_renamed_in_every_form_it_takes(
    here: str, there: str, told: str, data: st.DataObject
) -> None:
    ways = data.draw(st.lists(st.sampled_from(SPELLINGS), max_size=4))

    def asked(cwd: str) -> dict:
        arguments = json.dumps({"path": f"{cwd}/notes.txt", "deep": json.dumps({"at": f"{cwd}/x"})})
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": "r", "arguments": arguments},
        }
        return chat(
            told.format(cwd),
            user("read it"),
            *(user(f"see {written(cwd, way)}/a and {_url(cwd)}") for way in ways),
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": f"<path>{cwd}/notes.txt</path>"},
        )

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
        ("Working directory: /work/a is clean", "Working directory: /work/a is dirty"),
        ("Working directory: /work/a (clean)", "Working directory: /work/a (dirty)"),
        ("Working directory: /work/a. Delete it", "Working directory: /work/a. Keep it"),
        ("Working directory: /work/a, role: cook", "Working directory: /work/a, role: judge"),
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


UUID, OTHER = "7f1c2a52-0000-4000-8000-0123456789ab", "8f1c2a52-0000-4000-8000-0123456789ab"


def asked(
    target: str, body: bytes = b"", mime: str = "", method: str = "POST", preset: str = "agent"
) -> Normalized:
    return normalize(Request(method, target, mime, body), rules(preset), REDACTOR)


QUERIES = [
    ({"session_id": "ses_12ab9"}, {"session_id": "ses_99zz1"}),
    ({"sessionId": "12345678"}, {"sessionId": "87654321"}),
    ({"cwd": "/home/ann/my proj"}, {"cwd": "/srv/bob"}),
    ({"at": "/tmp/tmpab12cd34/x"}, {"at": "/tmp/tmpzz12cd35/x"}),
    ({"run": UUID, "again": UUID}, {"run": OTHER, "again": OTHER}),
]


@pytest.mark.parametrize(("here", "there"), QUERIES)
def test_what_varies_is_renamed_in_targets_forms_and_parts_as_in_json(here, there) -> None:
    form_type, parts_type = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x1"

    def parts(values: dict[str, str]) -> bytes:
        head = '--x1\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
        texts = "".join(head.format(name, value) for name, value in values.items())
        file = '--x1\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        return f"{texts}{file}".encode() + b"\xff\x00\r\n--x1--\r\n"

    ways = [
        lambda values: asked(f"/v1/files?{urlencode(values)}", method="GET"),
        lambda values: asked("/v1/x", urlencode(values).encode(), form_type),
        lambda values: asked("/v1/audio/transcriptions", parts(values), parts_type),
        lambda values: form(values, "agent"),
    ]
    for way in ways:
        one, other = way(here), way(there)
        assert one.canonical == other.canonical
        assert one.learnt != other.learnt
        assert all(value.encode() not in one.canonical for value in here.values())
        # Another value of anything else counts, and one that is not alike throughout.
        assert way({**here, "q": "x"}).canonical != way({**there, "q": "y"}).canonical
    crossed = {**there, "run": UUID}
    if "run" in here:
        assert {way(crossed).canonical for way in ways}.isdisjoint(
            way(here).canonical for way in ways
        )


def test_a_text_is_renamed_as_the_words_of_a_prompt_are() -> None:
    def said(cwd: str, day: str) -> bytes:
        told = f"Working directory: {cwd}\nToday's date: {day}\nRead {cwd}/notes.txt.\n"
        return asked("/v1/x", told.encode(), "text/plain").canonical

    assert said("/home/ann", "2026-11-28") == said("/srv/My Things", "2026-11-29")
    assert asked("/v1/x", b"Platform: a", "text/plain").canonical == b"POST /v1/x\nPlatform: a"


def test_what_the_body_tells_is_renamed_in_the_target() -> None:
    def said(cwd: str) -> bytes:
        body = json.dumps(chat(f"Working directory: {cwd}\n")).encode()
        target = f"/v1/chat/completions?at={quote(cwd, safe='')}%2Fnotes.txt"
        return asked(target, body, "application/json").canonical

    assert said("/home/ann") == said("/srv/My Things")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/v1/files/a1b2c3", "/v1/files/a1b2c4"),
        ("/v1/x?session_id=none", "/v1/x?session_id=lost"),
        ("/v1/x?name=ses_12ab9", "/v1/x?name=ses_99zz1"),
        ("/v1/x?session_id=1%262222", "/v1/x?session_id=1&2222"),
        (f"/v1/x?a={UUID}&b={OTHER}", f"/v1/x?a={UUID}&b={UUID}"),
        ("/v1/x?a=%E2%9F%A8uuid-1%E2%9F%A9", f"/v1/x?a={UUID}"),
        ("/v1/x?cwd=relative", "/v1/x?cwd=other"),
    ],
)
def test_what_only_looks_volatile_in_a_target_counts(one: str, other: str) -> None:
    assert asked(one, method="GET").canonical != asked(other, method="GET").canonical


def test_ids_in_paths_are_named_and_told() -> None:
    found = asked(f"/v1/jobs/{UUID}/events", method="GET")
    assert found.canonical == "GET /v1/jobs/⟨uuid-1⟩/events\n".encode()
    assert found.aimed == (UUID,)


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


@pytest.mark.parametrize("kind", ["function_call_output", "custom_tool_call_output"])
def test_how_long_a_script_of_codex_ran_makes_no_difference(kind: str) -> None:
    def ran(seconds: str) -> bytes:
        told = f"Script completed\nWall time {seconds} seconds\nOutput:\n"
        output = [{"type": "input_text", "text": told}, {"type": "input_text", "text": "42"}]
        body = {"model": "m", "input": [{"type": kind, "call_id": "a", "output": output}]}
        return form(body, "codex", target="/v1/responses").canonical

    assert ran("0.1") == ran("12")
    assert ran("0.1") != ran("some")


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
