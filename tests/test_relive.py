"""`cassette check` and `cassette refresh`: recorded requests asked again, on real sockets."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import orjson
import pytest
from click.testing import CliRunner

from promptdeck.cli import live
from promptdeck.cli.live import COMMANDS
from promptdeck.config import load
from promptdeck.core.interaction import Interaction
from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import CassetteError, UsageError
from promptdeck.library import redactor_of
from promptdeck.relive import Asker
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.verify import verify
from promptdeck.upstream import Upstream as Client
from promptdeck.upstream.keys import Keys
from tests.conftest import Start
from tests.scripted_upstream import Upstream, chunks, completion, plain, raw, stream, upstream

SECRET = "sk-" + "proj-" + "a1B2" * 12


class Ran(NamedTuple):
    code: int
    out: str
    err: str
    error: BaseException | None


class Shell:
    """Runs the commands in the folder of a cassette, off the loop that the provider is on."""

    def __init__(self, provider: Upstream, folder: Path) -> None:
        self.provider = provider
        self.path = folder / "cassettes" / "trip.yaml"

    async def __call__(self, *argv: str, typed: str = "", **environ: str) -> Ran:
        group = click.Group(commands={str(item.name): item for item in COMMANDS})
        clean = {"CI": None, "OPENAI_API_KEY": None, "PROMPTDECK_UPSTREAM_URL": None}
        runner = CliRunner(env={**clean, **environ})
        got = await asyncio.to_thread(runner.invoke, group, argv, input=typed)
        error = got.exception if not isinstance(got.exception, SystemExit) else None
        return Ran(got.exit_code, got.stdout, got.stderr, error)

    @property
    def recordings(self) -> list[Interaction]:
        return read(self.path)


@pytest.fixture
async def shell(
    start: Start, provider: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """Cassette `trip`: one request, whole and streamed."""
    monkeypatch.chdir(tmp_path)
    deck = await start(mode="record", cassette="trip")
    provider.answers = [plain("Take the night train.")]
    await deck.chat("Where to go?", model="tiny")
    await deck.chat("Where to go?", model="tiny", stream=True)
    provider.seen.clear()
    return Shell(provider, tmp_path)


# check


async def test_check_without_live_says_what_it_needs(shell: Shell) -> None:
    ran = await shell("check", "trip")
    assert ran.code == 2
    assert "add --live" in ran.err
    assert shell.provider.seen == []


async def test_check_of_an_unchanged_provider_is_content(shell: Shell) -> None:
    before = shell.path.read_bytes()
    ran = await shell("check", "--live", "--json")
    told = orjson.loads(ran.out)
    assert (ran.code, told["tiers"]["same"]) == (0, 2)
    assert [row["recording"] for row in told["recordings"]] == [
        item.id for item in shell.recordings
    ]
    assert [seen.json.get("stream") for seen in shell.provider.seen] == [None, True]
    assert shell.path.read_bytes() == before


async def test_check_tells_the_tier_of_each_recording_and_never_rewrites(shell: Shell) -> None:
    before = shell.path.read_bytes()
    shell.provider.answers = [plain("Take the day train."), stream(chunks("Take a bus.")[:-1])]
    ran = await shell("check", "trip", "--live")
    assert ran.code == 1
    head, first, second = ran.out.splitlines()
    assert head == "cassette\trecording\ttier\tnotes"
    assert first.split("\t")[2:] == [
        "content",
        "other text: 80% alike, 19 characters, was 21 characters",
    ]
    assert second.split("\t")[2] == "shape"
    assert "the end marker [DONE] is gone" in second
    assert ran.err == "2 recordings asked again: 1 shape, 1 content\n"
    assert shell.path.read_bytes() == before


async def test_check_with_other_words_only_exits_with_0(shell: Shell) -> None:
    shell.provider.answers = [plain("Take a bus.")]
    ran = await shell("check", "--live")
    assert (ran.code, ran.err) == (0, "2 recordings asked again: 2 content\n")


async def test_check_of_a_provider_that_says_no_is_an_error(shell: Shell) -> None:
    shell.provider.answers = [raw(b'{"error": {"message": "no such model"}}', status=404)]
    ran = await shell("check", "--live", "--json")
    assert ran.code == 1
    assert orjson.loads(ran.out)["tiers"]["error"] == 2
    assert "status 404, recorded 200: no such model" in ran.out


@pytest.mark.parametrize("status", [200, 401])
async def test_what_an_error_says_is_told_without_the_key(shell: Shell, status: int) -> None:
    error = orjson.dumps({"error": {"message": f"bad key: {SECRET}, key-of-mine-77"}})
    sse = b"data: " + error + b"\n\n"
    shell.provider.answers = [raw(error, status=status), stream([sse])]
    url = shell.provider.url
    ran = await shell("check", "--live", "--upstream", url, OPENAI_API_KEY="key-of-mine-77")
    assert ran.out.count("bad key: [redacted:") == 2
    assert SECRET not in ran.out
    assert "key-of-mine-77" not in ran.out


async def test_check_of_a_provider_that_is_not_there_is_unreachable(shell: Shell) -> None:
    ran = await shell("check", "--live", "--json", "--upstream", "http://127.0.0.1:1/v1")
    assert ran.code == 1
    rows = orjson.loads(ran.out)["recordings"]
    assert {row["tier"] for row in rows} == {"unreachable"}
    assert "cannot reach http://127.0.0.1:1/v1" in rows[0]["notes"][0]


async def test_check_of_an_answer_cut_off_is_an_error(shell: Shell) -> None:
    shell.provider.answers = [stream(chunks("Take a bus.")[:3], cut=True)]
    ran = await shell("check", "--live", "--json")
    assert ran.code == 1
    assert orjson.loads(ran.out)["tiers"]["error"] == 2


async def test_check_with_upstream_asks_there_with_the_key(shell: Shell) -> None:
    async with upstream() as other:
        ran = await shell("check", "--live", "--upstream", other.url, OPENAI_API_KEY="key-1")
        assert ran.code == 0
        assert [seen.headers["Authorization"] for seen in other.seen] == ["Bearer key-1"] * 2
    assert shell.provider.seen == []


async def test_the_key_does_not_go_where_a_cassette_says_but_we_do_not(shell: Shell) -> None:
    shell.provider.answers = [raw(b'{"error": {"message": "who are you?"}}', status=401)]
    ran = await shell("check", "--live", OPENAI_API_KEY="key-1")
    assert all("Authorization" not in seen.headers for seen in shell.provider.seen)
    assert "asked without a key" in ran.out
    await shell(
        "check", "--live", OPENAI_API_KEY="key-1", PROMPTDECK_UPSTREAM_URL=shell.provider.url
    )
    assert shell.provider.seen[-1].headers["Authorization"] == "Bearer key-1"


async def test_a_provider_gets_the_model_as_it_knows_it(
    start: Start, provider: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    deck = await start(mode="record", cassette="trip", environ=start.local())
    await deck.chat(model="tiny", headers={"X-Provider": "local"})
    await Shell(provider, tmp_path)("check", "--live", **start.local())
    assert [seen.json["model"] for seen in provider.seen] == ["tiny", "tiny"]


async def test_what_was_chosen_by_its_models_name_is_chosen_again(
    shell: Shell, start: Start
) -> None:
    async with upstream() as other:
        named = f"{{other: {{base_url: '{other.url}', api_key: key-of-other}}}}"
        environ = {"PROMPTDECK_UPSTREAMS": named}
        deck = await start(environ, mode="record", cassette="trip")
        await deck.chat("a list", model=["other/m", "tiny"])
        other.seen.clear()
        ran = await shell("check", "trip", "--live", OPENAI_API_KEY="ours", **environ)
        assert "unreachable" not in ran.out
        [seen] = other.seen
        assert (seen.json["model"], seen.headers["Authorization"]) == ("m", "Bearer key-of-other")


async def test_check_names_a_cassette_that_is_not_there(shell: Shell) -> None:
    for name in ("trap", "../trip"):
        assert isinstance((await shell("check", name, "--live")).error, UsageError)


async def test_an_upstream_that_is_no_url_is_unreachable(shell: Shell) -> None:
    text = shell.path.read_text()
    shell.path.write_text(text.replace(f"upstream: {shell.provider.url}", 'upstream: "http://[x"'))
    ran = await shell("check", "--live", "--json")
    assert orjson.loads(ran.out)["tiers"]["unreachable"] == 2


# refresh


async def test_refresh_takes_what_it_is_told_to_and_keeps_id_and_place(shell: Shell) -> None:
    before = shell.recordings
    shell.provider.answers = [plain("Take a bus.")]
    ran = await shell("refresh", "trip", typed="n\ny\n")
    assert ran.code == 0
    assert "old: Take the night train." in ran.out
    assert "new: Take a bus." in ran.out
    assert "1 answer of 2 taken" in ran.out
    after = shell.recordings
    assert after[0] == before[0]
    assert (after[1].id, after[1].key) == (before[1].id, before[1].key)
    assert (after[1].request, after[1].variant) == (before[1].request, before[1].variant)
    assert after[1].recorded_at > before[1].recorded_at
    assert after[1].response.frames != before[1].response.frames
    assert [frame.data for frame in after[1].response.frames] == chunks("Take a bus.")


async def test_refresh_with_yes_takes_all_and_keeps_what_people_wrote(shell: Shell) -> None:
    text = shell.path.read_text()
    shell.path.write_text(text.replace("\n- id", "\n# the happy path\n- id", 1))
    shell.provider.answers = [plain("Take a bus.")]
    ran = await shell("refresh", "trip", "--yes")
    assert "2 answers of 2 taken" in ran.out
    assert "# the happy path\n- id" in shell.path.read_text()
    assert "night train" not in shell.path.read_text()
    assert verify(shell.path, Redactor()) == []


async def test_what_was_refreshed_is_what_replay_serves(shell: Shell, start: Start) -> None:
    shell.provider.answers = [plain("Take a bus.")]
    await shell("refresh", "trip", "--yes")
    deck = await start(mode="replay", cassette="trip")
    got = await deck.chat("Where to go?", model="tiny")
    assert got.json["choices"][0]["message"]["content"] == "Take a bus."


def test_a_terminal_shows_old_and_new_side_by_side(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "53")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    live._show(["Take the night train, it is slow.", "", "Bye."], ["Take a bus."])
    assert capsys.readouterr().out.splitlines() == [
        "OLD                       | NEW",
        "Take the night train, it  | Take a bus.",
        "is slow.                  |",
        "                          |",
        "Bye.                      |",
    ]


async def test_refresh_stops_at_q_and_keeps_what_was_taken(shell: Shell) -> None:
    shell.provider.answers = [plain("Take a bus.")]
    await shell("refresh", "trip", typed="y\nq\n")
    assert len(shell.provider.seen) == 2
    assert [b"bus" in item.response.body for item in shell.recordings] == [True, False]


@pytest.mark.parametrize(
    "answer",
    [
        raw(b'{"error": {"message": "slow down"}}', status=429),
        raw(b'{"error": {"message": "odd"}}'),
        stream(chunks("Take a bus.")[:-2]),
        stream(chunks("Take a bus.")[:3], cut=True),
    ],
    ids=["error", "error in a good status", "no end", "cut"],
)
async def test_refresh_never_takes_an_answer_that_is_no_good(
    shell: Shell, answer: Callable[..., object]
) -> None:
    before = shell.path.read_bytes()
    shell.provider.answers = [answer]  # type: ignore[list-item]
    ran = await shell("refresh", "trip", "--yes")
    assert (ran.code, ran.out.count("not taken: ")) == (1, 2)
    assert shell.path.read_bytes() == before


async def test_refresh_takes_secrets_out(shell: Shell) -> None:
    shell.provider.answers = [plain(f"Your key is {SECRET}, or key-of-mine-77")]
    key = {"OPENAI_API_KEY": "key-of-mine-77"}
    ran = await shell("refresh", "trip", "--yes", "--upstream", shell.provider.url, **key)
    assert ran.code == 0
    for secret in (SECRET, "key-of-mine-77"):
        assert secret not in shell.path.read_text()
        assert secret not in ran.out
    assert [item.redacted for item in shell.recordings] == [2, 2]


async def test_refresh_is_refused_in_ci(shell: Shell) -> None:
    ran = await shell("refresh", "trip", "--yes", CI="true")
    assert isinstance(ran.error, UsageError)
    assert "CI=true" in str(ran.error)
    assert shell.provider.seen == []


async def test_refresh_leaves_a_recording_alone_that_changed_meanwhile(shell: Shell) -> None:
    async def edited(*asked: object) -> object:
        text = shell.path.read_text()
        shell.path.write_text(text.replace("http://127.0.0.1", "http://localhost"))
        return await plain("Take a bus.")(*asked)  # type: ignore[arg-type]

    shell.provider.answers = [edited]  # type: ignore[list-item]
    ran = await shell("refresh", "trip", "--yes")
    assert isinstance(ran.error, CassetteError)
    assert "changed while it was asked again" in str(ran.error)
    assert "bus" not in shell.path.read_text()


async def test_an_answer_larger_than_what_is_kept_is_read_to_its_end(
    shell: Shell, provider: Upstream
) -> None:
    config = load({"upstream": provider.url}, {}).config
    provider.answers = [raw(orjson.dumps(completion("x" * 1_000_000)))]
    client = Client(provider.url, Keys(), 5, 5)
    asker = Asker(client, provider.url, redactor_of(config), (), keep_bytes=1000, providers={})
    try:
        anew = await asker.ask(shell.recordings[0])
    finally:
        await client.close()
    assert (anew.drift.tier, anew.interaction) == ("shape", None)
    assert "max_bytes" in anew.problem
