"""Ids of a run that stand for recorded ones: each gets the answers of one, in any order."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Interaction, Request, Response, Variant
from promptdeck.engine.decks.bindings import Bindings, ids_of
from promptdeck.stores.base import Sought, Stored

IDS = [f"{n}f1c2a52-0000-4000-8000-0123456789ab" for n in range(1, 9)]
FORM = "GET /v1/jobs/⟨uuid-1⟩/log?at=⟨tmp-1⟩\n".encode()


def poll(job: str, at: str = "/tmp/tmpab12cd34", form: bytes = FORM) -> Stored:
    request = Request("GET", f"/v1/jobs/{job}/log?at={at.replace('/', '%2F')}", "", b"")
    response = Response(200, (), (Frame(1, job.encode()),))
    return Stored(Interaction("", "k", Variant.JSON, 1.0, "", request, response), form)


def meant(bindings: Bindings, rows: list[Stored], job: str, at: str = "/tmp/tmpab12cd34") -> str:
    """The job whose answers are played to a poll; empty for a miss."""
    found = bindings.meant(Sought("k", FORM, aimed=(job, at)), rows)
    bodies = {row.interaction.response.body.decode() for row in found}
    assert len(bodies) <= 1
    return next(iter(bodies), "")


def test_the_ids_of_a_recording_are_what_its_form_has_names_for() -> None:
    assert ids_of(poll(IDS[0])) == (IDS[0], "/tmp/tmpab12cd34")
    assert ids_of(poll(IDS[0], form=b"GET /v1/jobs/x/log\n")) == ()
    assert ids_of(poll(IDS[0], form=FORM + b'{"model":"m"}')) == ()


@given(st.lists(st.sampled_from(IDS), min_size=1, max_size=12), st.booleans())
def test_what_is_recorded_is_meant_itself_whoever_asks(jobs: list[str], adopts: bool) -> None:
    bindings, rows = Bindings(adopts=adopts), [poll(name) for name in jobs]
    assert [meant(bindings, rows, name) for name in jobs] == jobs


@given(
    st.permutations(IDS[:3] * 2),
    st.lists(st.sampled_from(IDS[3:7]), max_size=20),
)
def test_each_new_id_stands_for_one_recorded_id_in_whatever_order(
    recorded: list[str], asked: list[str]
) -> None:
    bindings, rows = Bindings(adopts=True), [poll(name) for name in recorded]
    stands_for: dict[str, str] = {}
    for job in asked:
        got = meant(bindings, rows, job)
        # Where all recorded ones have been given away, one more is a miss.
        assert stands_for.setdefault(job, got) == got
    given_away = [name for name in stands_for.values() if name]
    assert len(set(given_away)) == len(given_away) == min(len(stands_for), 3)
    assert given_away == list(dict.fromkeys(recorded))[: len(given_away)]


def test_where_upstream_may_be_asked_nothing_stands_for_another() -> None:
    bindings, rows = Bindings(adopts=False), [poll(IDS[0])]
    assert meant(bindings, rows, IDS[1]) == ""
    assert meant(bindings, rows, IDS[0]) == IDS[0]


def test_all_ids_of_a_request_stand_for_those_of_one_recording() -> None:
    bindings = Bindings(adopts=True)
    rows = [poll(IDS[0], "/tmp/tmpaaaaaa11"), poll(IDS[1], "/tmp/tmpbbbbbb22")]
    assert meant(bindings, rows, IDS[4], "/tmp/tmpbbbbbb22") == IDS[0]
    assert meant(bindings, rows, IDS[5], "/tmp/tmpcccccc33") == IDS[1]
    # This folder stands for the first one's already.
    assert meant(bindings, rows, IDS[5], "/tmp/tmpbbbbbb22") == ""


def test_a_request_with_a_body_is_told_by_that() -> None:
    form = FORM + b'{"model":"m"}'
    rows = [poll(name, form=form) for name in IDS[:2]]
    sought = Sought("k", form, aimed=("x", "y"))
    assert Bindings(adopts=False).meant(sought, rows) == rows
