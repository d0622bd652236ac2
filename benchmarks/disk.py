"""Bytes on disk, for each interaction that a running promptdeck has recorded."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import bodies
import load
from measure import Case, Figure, Row, Target
from recorders import made, write_raw
from recordings import url
from workbench import DECK, Bench

_FIGURES = (Figure("bytes each", against="x"), Figure("bytes said", 0))
_RAW = "raw SQLite rows"
_SESSIONS, _TURNS = 8, 18
_PATIENCE = 60
"""Seconds."""


def cases(bench: Bench) -> Iterator[Case]:
    """The files of two kinds of traffic: unlike chats, and growing prompts."""
    chats = [bodies.conversation(number) for number in range(bench.size.kept)]
    yield _case(bench, "chats", chats, f"{len(chats)} chats of 5 KB with their answers", 1 / 3.5)
    turns = [body for n in range(_SESSIONS) for body in bodies.session(n, _TURNS)]
    title = f"{len(turns)} requests of {_SESSIONS} agents, each with all that went before"
    yield _case(bench, "turns", turns, title, 1 / 10)


def _case(bench: Bench, name: str, asked: list[bytes], title: str, most: float) -> Case:
    folder = bench.workshop.folder
    ours, raw = folder / f"disk-{name}.db", folder / f"raw-{name}.db"
    with (
        bench.upstream("varied") as upstream,
        bench.workshop.promptdeck(
            "cache", "--store", str(ours), "--upstream", url(upstream.port)
        ) as deck,
    ):
        answers = load.ask_all(deck.port, asked)
        _wait_until_packed(ours)
    _check(bench, ours, asked, answers)
    pairs = zip(asked, answers, strict=True)
    write_raw(raw, [made(n, request, answer) for n, (request, answer) in enumerate(pairs)])
    said = sum(map(len, asked + answers))

    def row(file: Path) -> list[Row]:
        size = sum(part.stat().st_size for part in folder.glob(f"{file.name}*"))
        return [(size / len(asked), said / len(asked))]

    rows = {_RAW: row(raw), DECK: row(ours)}
    target = Target(14, f"bytes on disk, {name}", "bytes each", DECK, _RAW, most=round(most, 3))
    return Case(f"on disk: {title}", _FIGURES, rows, (target,))


def _wait_until_packed(store: Path) -> None:
    """A server packs what it has recorded when nothing more comes, and gives pages back."""
    end = time.monotonic() + _PATIENCE
    with contextlib.closing(
        sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)
    ) as db:

        def ask(query: str) -> int:
            return int(db.execute(query).fetchone()[0])

        while (
            ask("SELECT count(*) FROM recording")
            or ask("PRAGMA freelist_count") > 16 + ask("PRAGMA page_count") // 16
        ):
            if time.monotonic() > end:
                raise RuntimeError(f"not packed within {_PATIENCE} s")
            time.sleep(0.2)


def _check(bench: Bench, store: Path, asked: list[bytes], answers: list[bytes]) -> None:
    """That all of it is there: a promptdeck without upstream answers the same."""
    with bench.workshop.promptdeck("cache", "--store", str(store), "--upstream", url(1)) as deck:
        if load.ask_all(deck.port, asked) != answers:
            raise RuntimeError("not what was recorded")
