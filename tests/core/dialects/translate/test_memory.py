"""What a client did not keep is filled in, and only that."""

from promptdeck.core.dialects.translate.memory import Listener, Memory
from promptdeck.core.dialects.translate.neutral import (
    CallClosed,
    CallOpened,
    CallSaid,
    Opened,
    Prompt,
    Sealed,
    Signal,
    Signed,
    Spoken,
    Thought,
    ToolCall,
    Utterance,
    Words,
)

ANTHROPIC = Signed("anthropic", "claude-5", "c2ln")
GOOGLE = Signed("google", "gemini-3", "Z29v")
FIRST, SECOND = Thought("first", ANTHROPIC), Thought("second", ANTHROPIC)
ANSWER: list[Signal] = [
    Opened("a", "m"),
    Sealed(FIRST),
    Spoken("I look."),
    CallOpened(0, "c0", "f"),
    CallSaid(0, '{"a": 1,'),
    CallSaid(0, ' "b": 2}'),
    CallClosed(0),
    Sealed(SECOND),
    CallOpened(1, "c1", "g", GOOGLE),
    CallClosed(1),
]


def remembering(most_bytes: int = 10_000) -> Memory:
    memory = Memory(most_bytes)
    listener = Listener(memory)
    for signal in ANSWER:
        listener.hear(signal)
    return memory


def restored(memory: Memory, *parts: object) -> tuple[object, ...]:
    turn = Utterance("assistant", parts, "$.messages[1]")  # type: ignore[arg-type]
    return memory.restored(Prompt("chat", "m", (turn,))).turns[0].parts


KEPT = (Words("I look."), ToolCall("c0", "f", '{"b":2,"a":1}'), ToolCall("c1", "g", "{}"))


def test_blocks_come_back_in_their_places() -> None:
    assert restored(remembering(), *KEPT) == (
        FIRST, KEPT[0], KEPT[1], SECOND, KEPT[2]._replace(signed=GOOGLE),
    )  # fmt: skip


def test_the_client_s_own_words_of_it_give_way() -> None:
    assert Thought("first") not in restored(remembering(), Thought("first"), *KEPT)


def test_what_the_client_has_kept_stays_as_it_is() -> None:
    parts = (Thought("mine", ANTHROPIC), *KEPT)
    assert restored(remembering(), *parts) == parts


def test_another_call_of_the_same_id_is_another() -> None:
    other = (ToolCall("c0", "f", '{"a":2}'), ToolCall("c1", "h", "{}"))
    assert restored(remembering(), *other) == other


def test_an_answer_without_signatures_takes_no_room() -> None:
    memory = Memory()
    listener = Listener(memory)
    for signal in [CallOpened(0, "c0", "f"), CallSaid(0, "{}"), CallClosed(0)]:
        listener.hear(signal)
    assert restored(memory, *KEPT) == KEPT


def test_the_oldest_gives_way() -> None:
    memory = remembering(most_bytes=600)
    assert restored(memory, KEPT[1]) == (KEPT[1],)
    assert restored(memory, KEPT[2])[-1] == KEPT[2]._replace(signed=GOOGLE)


def test_arguments_that_are_no_json_are_found_as_they_are() -> None:
    memory = Memory()
    listener = Listener(memory)
    for signal in [CallOpened(0, "c", "f", GOOGLE), CallSaid(0, "\ud83d{"), CallClosed(0)]:
        listener.hear(signal)
    call = ToolCall("c", "f", "\ud83d{")
    assert restored(memory, call) == (call._replace(signed=GOOGLE),)
