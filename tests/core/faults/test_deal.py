"""What a fault makes of an answer: the bytes, the waits and the end."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.faults.deal import Begin, Dealer, Dealt, End, Stall, Step, Wait, Write, draw
from promptdeck.core.faults.plan import Fault, Plan, parse_plan
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.text import sse

SSE = (("content-type", "text/event-stream"),)
JSON = (("content-type", "application/json"),)

texts = st.text(max_size=20) | st.sampled_from(["größer", "語り", "🦜🦜"])
chunks = texts.map(lambda text: sse.encode(orjson.dumps({"id": "1", "delta": {"content": text}})))


@st.composite
def streams(draw_: st.DrawFn) -> Response:
    data = [*draw_(st.lists(chunks, min_size=1, max_size=6)), sse.encode(b"[DONE]")]
    offsets = sorted(draw_(st.lists(st.integers(0, 500), min_size=len(data), max_size=len(data))))
    return Response(200, SSE, tuple(map(Frame, offsets, data)))


wholes = texts.map(lambda text: Response(200, JSON, (Frame(30, orjson.dumps({"content": text})),)))
responses = streams() | wholes
paces = st.sampled_from([0.5, 1.0, 20.0, float("inf")])
seeds = st.integers(0, 2**53)


def dealt(text: str, key: str = "k") -> Dealt:
    fault = Dealer(parse_plan(text)).deal(key)
    assert fault
    return fault


def steps(response: Response, text: str, factor: float = float("inf")) -> list[Step]:
    return list(dealt(text).steps(response, factor))


def written(told: list[Step]) -> bytes:
    return b"".join(step.data for step in told if isinstance(step, Write))


def waited(told: list[Step]) -> float:
    return sum(step.seconds for step in told if isinstance(step, Wait))


def is_json(data: str) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


HARMLESS = st.fixed_dictionaries(
    {"latency": st.sampled_from(["0", "200ms"])},
    optional={
        "jitter": st.just("80ms"),
        "first-byte": st.just("1s"),
        "split": st.just("10ms"),
        "stall-after": st.integers(0, 9),
    },
)


@given(responses, HARMLESS, paces)
def test_harmless_faults_write_the_recorded_bytes(
    response: Response, settings: dict[str, object], factor: float
) -> None:
    text = "; ".join(f"{name}={value}" for name, value in settings.items())
    if "stall-after" in settings:
        text += "; stall-for=1s"
    told = steps(response, text, factor)
    assert written(told) == response.body
    assert told[-1] is End.WHOLE
    assert [step.status for step in told if isinstance(step, Begin)] == [200]


@given(responses, paces)
def test_the_pace_of_the_recording_is_kept(response: Response, factor: float) -> None:
    told = steps(response, "latency=200ms", factor)
    assert waited(told) == pytest.approx(0.2 + response.took_ms / 1000 / factor)


@given(responses, seeds)
def test_jitter_stays_below_its_bound(response: Response, seed: int) -> None:
    waits = [
        step.seconds
        for step in steps(response, f"jitter=80ms; seed={seed}")
        if isinstance(step, Wait)
    ]
    assert len(waits) <= len(response.frames)
    assert all(0 < wait < 0.08 for wait in waits)


@given(streams())
def test_a_split_frame_is_cut_inside_a_character_if_it_has_one_of_several_bytes(
    response: Response,
) -> None:
    told = steps(response, "split=10ms")
    pieces = [step.data for step in told if isinstance(step, Write)]
    assert len(pieces) == 2 * len(response.frames)
    for first, second, frame in zip(pieces[::2], pieces[1::2], response.frames, strict=True):
        assert first + second == frame.data
        if not frame.data.isascii():
            with pytest.raises(UnicodeDecodeError):
                first.decode()


@given(streams(), st.integers(0, 12), st.sampled_from(["cut-after", "reset-after", "stall-after"]))
def test_a_break_comes_after_so_many_frames_or_amid_the_last(
    response: Response, number: int, name: str
) -> None:
    told = steps(response, f"{name}={number}")
    sent, whole = written(told), [frame.data for frame in response.frames]
    end: Step = {"cut-after": End.CUT, "reset-after": End.RESET}.get(name, Stall(float("inf")))
    assert end in told
    if name == "stall-after":
        sent = written(told[: told.index(end)])
    if number < len(whole):
        assert sent == b"".join(whole[:number])
    else:
        assert b"".join(whole[:-1]) < sent < response.body


@given(wholes)
def test_an_answer_that_is_no_stream_is_cut_in_its_middle_and_says_its_length(
    response: Response,
) -> None:
    told = steps(response, "cut-after=5")
    head = next(step for step in told if isinstance(step, Begin))
    assert ("content-length", str(len(response.body))) in head.headers
    assert b"" < written(told) < response.body


@given(streams(), st.integers(1, 12))
def test_one_frame_is_malformed_and_the_others_are_whole(response: Response, number: int) -> None:
    told = [step.data for step in steps(response, f"malformed={number}") if isinstance(step, Write)]
    changed = [at for at, frame in enumerate(response.frames) if told[at] != frame.data]
    # The last frame is [DONE], which is no JSON to break.
    assert changed == [min(number, len(response.frames) - 1) - 1]
    assert not is_json(sse.parse(told[changed[0]]).data or "")
    assert sse.is_whole(told[changed[0]])


@given(wholes)
def test_a_malformed_answer_has_the_length_it_says(response: Response) -> None:
    told = steps(response, "malformed=1")
    assert not is_json(written(told).decode())
    head = next(step for step in told if isinstance(step, Begin))
    assert ("content-length", str(len(written(told)))) in head.headers


def test_a_reset_before_the_head_writes_nothing() -> None:
    response = Response(200, SSE, (Frame(0, b"data: 1\n\n"),))
    assert steps(response, "latency=1s; reset") == [Wait(1.0), End.RESET]


def test_a_first_byte_is_late_and_the_head_is_not() -> None:
    response = Response(200, SSE, (Frame(0, b"data: 1\n\n"),))
    head, wait, *_ = steps(response, "first-byte=2s")
    assert isinstance(head, Begin)
    assert wait == Wait(2.0)


def test_an_empty_answer_can_be_cut() -> None:
    assert steps(Response(204, (), ()), "cut-after=3")[-1] is End.CUT


@pytest.mark.parametrize("status", [400, 429, 500, 503, 529])
def test_an_error_has_the_body_of_openai_and_asks_to_wait(status: int) -> None:
    response = Response(200, SSE, (Frame(0, b"data: 1\n\n"),))
    told = steps(response, f"status={status}; retry-after=2; retry-after-ms=1500")
    head = next(step for step in told if isinstance(step, Begin))
    assert head.status == status
    assert {("retry-after", "2"), ("retry-after-ms", "1500")} <= set(head.headers)
    body = orjson.loads(written(told))
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["message"] == body["error"]["message"]


# Dealing

plans = st.builds(
    Plan,
    st.lists(
        st.builds(
            Fault,
            cut_after=st.integers(0, 3),
            jitter=st.just(1.0),
            probability=st.floats(0, 1),
            times=st.none() | st.integers(1, 3),
        ),
        max_size=3,
    ).map(tuple),
    seeds,
)


orders = st.lists(st.sampled_from("abc"), max_size=20).flatmap(
    lambda keys: st.tuples(st.just(keys), st.permutations(keys))
)


@given(plans, orders)
def test_the_same_seed_gives_the_same_faults_in_whatever_order_requests_come(
    plan: Plan, order: tuple[list[str], list[str]]
) -> None:
    one, other = (
        sorted(((key, dealer.deal(key)) for key in keys), key=lambda item: item[0])
        for keys, dealer in zip(order, (Dealer(plan), Dealer(plan)), strict=True)
    )
    assert one == other


@given(st.integers(1, 5))
def test_only_so_many_answers_to_a_request_are_faulty(times: int) -> None:
    dealer = Dealer(parse_plan(f"status=429; times={times}"))
    for key in "ab":
        assert [dealer.deal(key) is not None for _ in range(7)] == [
            number < times for number in range(7)
        ]


def test_faults_follow_one_another() -> None:
    dealer = Dealer(parse_plan("status=429; times=1, cut-after=0; times=2"))
    fates = [dealer.deal("k") for _ in range(4)]
    found = [(fate.fault.status, fate.fault.cut_after) if fate else None for fate in fates]
    assert found == [(429, None), (None, 0), (None, 0), None]


@given(seeds)
def test_probability_is_kept_over_many_answers(seed: int) -> None:
    dealer = Dealer(parse_plan(f"reset; probability=0.25; seed={seed}"))
    hits = sum(dealer.deal(str(number)) is not None for number in range(2000))
    assert 350 < hits < 650  # seven standard deviations


@given(seeds)
def test_certain_and_impossible_faults_are_so(seed: int) -> None:
    assert Dealer(parse_plan(f"reset; probability=1; seed={seed}")).deal("k")
    assert not Dealer(parse_plan(f"reset; probability=0; seed={seed}")).deal("k")


@given(st.text("abc 0123456789"), st.text("abc"))
def test_a_draw_is_below_one(chance: str, what: str) -> None:
    assert 0 <= draw(chance, what) < 1


def test_another_seed_gives_other_faults() -> None:
    def fates(seed: int) -> list[bool]:
        dealer = Dealer(parse_plan(f"reset; probability=0.5; seed={seed}"))
        return [dealer.deal("k") is not None for _ in range(64)]

    assert fates(1) != fates(2)


@pytest.mark.parametrize(
    ("path", "where", "kind"),
    [
        ("/v1/messages", ("error", "type"), "rate_limit_error"),
        ("/v1/models/gemini-4:generateContent", ("error", "status"), "RESOURCE_EXHAUSTED"),
        ("/v1/responses", ("error", "code"), "rate_limit_exceeded"),
    ],
)
def test_a_status_is_told_as_the_protocol_tells_it(path, where, kind):
    told = dealt("status=429").steps(Response(200, (), ()), dialect=dialect_of("POST", path))
    [body] = [step.data for step in told if isinstance(step, Write)]
    value = orjson.loads(body)
    for key in where:
        value = value[key]
    assert value == kind


@pytest.mark.parametrize(
    ("fault", "delay"),
    [
        ("status=429; retry-after=3", ["3s"]),
        ("status=503; retry-after-ms=250", ["0.25s"]),
        ("status=429; retry-after=3; retry-after-ms=1500", ["1.5s"]),
        ("status=429", []),
    ],
)
def test_googles_clients_are_told_in_the_body_how_long_to_wait(fault, delay):
    gemini = dialect_of("POST", "/v1beta/models/gemini-4:generateContent")
    told = dealt(fault).steps(Response(200, (), ()), dialect=gemini)
    [body] = [step.data for step in told if isinstance(step, Write)]
    details = orjson.loads(body)["error"]["details"]
    waits = [one["retryDelay"] for one in details if one["@type"].endswith("rpc.RetryInfo")]
    assert waits == delay
