"""Verdicts: from what a server saw to what can be said of the client."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.faults.verdict import (
    Attempt,
    FindingName,
    Limits,
    Verdict,
    retry_after,
    rounds_of,
)


def refused(at: float, wait: float | None = None, **more: object) -> Attempt:
    made = Attempt("k", at, at, fault="status=429", status=429, asks_to_wait=wait)
    return made._replace(**more)


def sound(at: float) -> Attempt:
    return Attempt("k", at, at + 0.01)


def cut(at: float) -> Attempt:
    return Attempt("k", at, at, fault="cut-after=1", broken=True)


def stalled(at: float, ended: float | None, *, left: bool = True) -> Attempt:
    return Attempt("k", at, ended, fault="stall-after=1", stalled=at, left=left)


def names(*attempts: Attempt, now: float = 1000.0, limits: Limits | None = None) -> list[str]:
    verdict = Verdict(attempts, now, limits or Limits())
    return [str(finding.name) for finding in verdict.findings]


def test_a_client_that_waits_and_then_succeeds_did_well() -> None:
    verdict = Verdict([refused(0, wait=1), sound(1.0)], 2)
    assert verdict.ok
    assert verdict.text() == "2 requests, 1 answered badly, nothing against the client"


def test_sound_answers_to_the_same_request_are_no_retries() -> None:
    assert names(*map(sound, range(50))) == []
    assert len(rounds_of(map(sound, range(50)))) == 50


@pytest.mark.parametrize(
    ("waited", "found"),
    [
        (0.0, ["retry_after_ignored"]),
        (0.99, ["retry_after_ignored"]),
        (1.0, ["retried_too_early"]),
        (1.79, ["retried_too_early"]),
        (1.81, []),
        (60, []),
    ],
)
def test_a_retry_before_retry_after_is_early_or_heedless(waited: float, found: list[str]) -> None:
    assert names(refused(0, wait=2), sound(waited)) == found


def test_without_retry_after_none_is_early() -> None:
    assert names(refused(0), sound(0.001)) == []
    assert names(refused(0, wait=0), sound(0)) == []


@pytest.mark.parametrize(("retries", "found"), [(3, []), (4, ["retried_too_often"])])
def test_more_retries_than_are_fair_are_too_often(retries: int, found: list[str]) -> None:
    assert names(*(refused(at * 2) for at in range(retries)), sound(retries * 2)) == found


def test_many_retries_within_a_second_are_a_storm() -> None:
    fast = [refused(number * 0.1) for number in range(8)]
    assert names(*fast, sound(0.9)) == ["retried_too_often", "retry_storm"]
    slow = [refused(number * 0.5) for number in range(8)]
    assert names(*slow, sound(9)) == ["retried_too_often"]


def test_many_different_requests_at_once_are_no_storm() -> None:
    assert names(*(sound(0)._replace(key=str(number)) for number in range(50))) == []


@pytest.mark.parametrize(
    ("ended", "found"), [(59.0, ["not_retried"]), (61.0, ["hung", "not_retried"]), (None, ["hung"])]
)
def test_a_long_wait_in_silence_is_a_hang(ended: float | None, found: list[str]) -> None:
    assert names(stalled(0, ended)) == found


def test_a_stall_that_the_server_ends_is_judged_by_its_length_alone() -> None:
    attempt = stalled(0, 500, left=False)
    assert names(attempt._replace(resumed=5.0)) == []
    assert names(attempt._replace(resumed=400.0)) == ["hung"]


def test_who_leaves_a_stalled_answer_and_asks_again_did_well() -> None:
    assert names(stalled(0, 5.0), sound(6)) == []


def test_who_is_back_before_the_server_noticed_that_it_left_has_retried() -> None:
    assert names(stalled(0, 5.0), sound(4.99)) == []


def test_what_a_server_cannot_know_is_information_and_no_fault() -> None:
    verdict = Verdict([cut(0)], 1)
    assert [finding.name for finding in verdict.findings] == [FindingName.BROKEN_ANSWER_NOT_RETRIED]
    assert verdict.ok
    assert "can't be seen from here" in verdict.text()


def test_an_error_that_is_not_retried_is_information() -> None:
    assert names(refused(0)) == ["not_retried"]
    assert names(refused(0, status=400)) == []


def test_concurrent_requests_are_not_retries_of_one_another() -> None:
    attempts = [refused(0, ended=1.0), refused(0.5, ended=1.5), sound(2), sound(2.5)]
    assert [len(round_) for round_ in rounds_of(attempts)] == [2, 2]
    assert names(*attempts) == []


def test_a_client_that_counts_its_retries_is_believed() -> None:
    first, fresh = refused(0, wait=5, retry=0), sound(1)._replace(retry=0)
    assert names(first, fresh) == ["not_retried"]
    assert names(first, fresh._replace(retry=1)) == ["retry_after_ignored"]


def test_requests_are_judged_one_by_one() -> None:
    other = [refused(0, wait=2, key="other"), sound(0.1)._replace(key="other")]
    (finding,) = Verdict([refused(0, wait=2), sound(2), *other], 9).findings
    assert (finding.name, finding.key) == (FindingName.RETRY_AFTER_IGNORED, "other")


def test_the_text_names_what_speaks_against_the_client_first() -> None:
    verdict = Verdict([cut(0)._replace(key="a"), refused(0, wait=2), sound(0.05)], 9)
    first, second, third = verdict.text().splitlines()
    assert first == "3 requests, 2 answered badly, 1 finding against the client"
    assert second == "  retry_after_ignored k: asked to wait 2.0 s, came back after 0.050 s"
    assert third.startswith("  broken_answer_not_retried a: not asked again after cut-after=1;")


def test_a_report_counts_times_from_the_first_request() -> None:
    report = Verdict([refused(100.0, wait=1), sound(101.5)], 102).as_dict()
    assert orjson.loads(orjson.dumps(report)) == report
    first, second = report["requests"]["k"]
    assert (first["at"], first["status"], second["at"], second["ended"]) == (0, 429, 1.5, 1.51)
    assert report["ok"]
    assert report["findings"] == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("Retry-After", "2"),), 2.0),
        ((("retry-after", "60"), ("retry-after-ms", "200")), 0.2),
        ((("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"),), None),
        ((), None),
    ],
)
def test_retry_after_is_read_as_the_sdks_do(
    headers: tuple[tuple[str, str], ...], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


moments = st.floats(0, 100)
attempts = st.builds(
    Attempt,
    key=st.sampled_from("ab"),
    at=moments,
    ended=st.none() | moments.map(lambda at: at + 100),
    fault=st.sampled_from(["", "cut-after=1"]),
    status=st.sampled_from([None, 200, 400, 429, 500]),
    asks_to_wait=st.none() | moments,
    broken=st.booleans(),
    stalled=st.none() | moments.map(lambda at: at + 100),
    resumed=st.none() | moments.map(lambda at: at + 200),
    left=st.booleans(),
    retry=st.none() | st.integers(0, 3),
)


@given(st.lists(attempts, max_size=20))
def test_every_attempt_is_in_one_round_and_only_failures_are_retried(seen: list[Attempt]) -> None:
    rounds = rounds_of(seen)
    together = [attempt for round_ in rounds for attempt in round_]
    assert sorted(map(id, together)) == sorted(map(id, seen))
    for round_ in rounds:
        assert len({attempt.key for attempt in round_}) == 1
        assert all(attempt.failed for attempt in round_[:-1])


@given(st.lists(attempts, max_size=20))
def test_a_verdict_is_reached_on_anything_and_its_forms_agree(seen: list[Attempt]) -> None:
    verdict = Verdict(seen, 1000)
    assert len(verdict.text().splitlines()) == 1 + len(verdict.findings)
    assert verdict.as_dict()["ok"] == verdict.ok == ("nothing against" in verdict.text())
