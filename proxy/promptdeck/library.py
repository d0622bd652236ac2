"""From a configuration to what plays it: the engine's settings, and a `Library` of decks.

A server has one library, and each of its sessions has one of its own, made from the server's
configuration with the session's changes. By the configuration's mode, the deck of a library
finds recordings, and puts them, here:

    mode                      with a cassette named      with none
    cache                     cassette, then the cache   the cache
    record, record-missing    the cassette               the cassette `default`
    replay                    the cassette               all cassettes of the folder

Where there are two, the cache is written to. Whether anything is looked up or written is
decided by `core.policy`, not here: in mode passthrough nothing is, in replay nothing written.
"""

import asyncio
import os
from collections import OrderedDict, defaultdict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from .apart.process import Apart
from .config import Config, in_ci
from .core.dialects.interpreted import Remembering
from .core.interaction import Request
from .core.matching.normalize import normalize
from .core.matching.rules import NO_RULES, Rules
from .core.policy import Mode
from .core.secrets.redact import Redactor
from .engine.asking import Check
from .engine.checking import Contract
from .engine.decks.deck import Deck
from .engine.decks.playing import AfterLast, OnExpired, Playing
from .engine.settings import Settings
from .errors import ClientError
from .routes import scope_of, secrets_of
from .stores.base import Glance, Store
from .stores.cassettes.called import called
from .stores.cassettes.file import SUFFIX, path_of, refuse_outside
from .stores.cassettes.shelf import Shelf
from .stores.cassettes.store import Canon, Cassette
from .stores.sqlite.database import Database
from .stores.sqlite.tape import Tape

if TYPE_CHECKING:
    from .stores.cassettes.loaded import LoadedCassette
    from .stores.held import Held

_BLANK_KEPT = 32
"""Decks that are kept for names of which there is no cassette, for the report of what was asked of
them in vain: the latest. Each is 4 KB, and 4 MB of misses at most."""

DEFAULT_CASSETTE = "default"
"""Where the record modes write when no cassette is named."""


def redactor_of(config: Config) -> Redactor:
    """A `Redactor` of the known shapes of secrets and the configuration's own patterns."""
    return Redactor(config.redact.patterns, Apart(config.server.pattern_timeout))


def rules_of(config: Config) -> Rules:
    """What does not count when requests are compared, as the configuration says it."""
    return replace(config.match.rules, expressions=Apart(config.server.pattern_timeout))


def canon_of(config: Config) -> Canon:
    """How recorded requests get their canonical form, with the user's rules and without."""
    return _canon(rules_of(config), redactor_of(config))


def _canon(rules: Rules, redactor: Redactor) -> Canon:
    laws: dict[str, Canon] = {}
    """By the digest of a cassette's own rules: most of a folder's have the same, if any."""

    def canonical(request: Request) -> bytes:
        return normalize(request, rules, redactor).canonical

    def base(request: Request) -> bytes:
        return normalize(request, NO_RULES, redactor).canonical

    def once(request: Request) -> bytes:
        return normalize(request, NO_RULES, redactor, once=True).canonical

    def joined(own: Rules) -> Canon:
        law = laws.get(own.digest)
        if law is None:
            law = laws[own.digest] = _canon(rules.joined(own), redactor)
        return law

    return Canon(
        canonical,
        base,
        rules.digest,
        laws=f"{rules.digest}|{redactor.digest}",
        once=once,
        waits=rules.waits or redactor.waits,
        rules=rules,
        joined=joined,
    )


def check_of(config: Config) -> Check | None:
    """How the contract judges requests; None in passthrough mode, where upstream judges."""
    passing = config.mode is Mode.PASSTHROUGH
    return None if passing else Contract(strict=config.contract.strict).check


def settings_of(config: Config) -> Settings:
    """What an exchange is set to by a configuration: mode, rules, secrets, limits, upstream."""
    return Settings(
        mode=config.mode,
        rules=rules_of(config),
        redactor=redactor_of(config),
        upstream=config.upstream.url,
        secrets=secrets_of(config, os.environ),
        keep_bytes=config.record.max_bytes,
        # A cache that kept an error would go on to answer with it.
        keep_errors=config.record.errors and config.mode in (Mode.RECORD, Mode.RECORD_MISSING),
        outlives_client=config.record.finish_after_disconnect,
        ttl=config.store.ttl,
        pure=config.match.pure,
        stateful=config.match.stateful,
        runs_tools=runs_tools(config),
    )


_DEDALUS = ("dedaluslabs.ai",)
"""What the names of hosts end in that run tools themselves."""


def runs_tools(config: Config) -> bool:
    """True if tools of MCP servers are run here, and not by the upstream."""
    if config.agent.run != "auto":
        return config.agent.run == "local"
    host = urlsplit(config.upstream.url).hostname or ""
    return not any(host == one or host.endswith(f".{one}") for one in _DEDALUS)


class Library:
    """The decks of a server, or of a session, each made when it is first asked for.

    A deck stays, as it knows what was played. Of those without a cassette, which anybody can
    ask for by any name, only the latest do, and those that are in use.

    `database` indexes cassettes, `cache` is its part that the mode cache reads and writes; a
    server that passes through has neither. With `hold`, as sessions may ask for, what is put
    into a cassette is kept back in `held` until somebody releases it. `memory` keeps of translated
    answers what their clients lose.
    """

    def __init__(
        self,
        config: Config,
        database: Database | None,
        cache: Tape | None,
        *,
        hold: bool = False,
        memory: Remembering | None = None,
    ) -> None:
        self._config = config
        self._database = database
        self._cache = cache
        self._canon = canon_of(config)
        self._hold = hold
        self._memory = memory
        self._decks: dict[str, Deck] = {}
        self._blank: OrderedDict[str, Deck] = OrderedDict()
        """Those that nothing but a report would be lost with, the latest asked for last."""
        self._alive: WeakValueDictionary[str, Deck] = WeakValueDictionary()
        """All of them, and those that only a request under way still has."""
        # Two requests at once must not make two decks of one name: each would count for itself.
        # One for each name, as a large file shall not keep others waiting.
        self._opening: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.held: list[Held] = []
        """A store for each cassette whose new recordings are kept back."""

    async def deck(self, name: str) -> Deck:
        """The deck of a cassette, or with an empty name that of a bare base_url.

        A folder of cassettes is looked at by its `refresh`, not here. ClientError for a name
        that no cassette can have, CassetteError for one whose file cannot be read.
        """
        name = self._meant(name) or self._config.cassette.name or self._default_name
        if deck := self._decks.get(name):
            return deck
        deck = self._alive.get(name)
        if deck is None:
            async with self._opening[name]:
                deck = self._alive.get(name)
                if deck is None:
                    deck = self._alive[name] = await self._open(name)
            self._opening.pop(name, None)
        self._keep(name, deck)
        return deck

    def _meant(self, name: str) -> str:
        """The name in a path, of a cassette or of its file.

        Some clients append `openai/v1` to their base_url. So they name a cassette in a folder,
        which is meant only where it is there.
        """
        if name.endswith(SUFFIX):
            with suppress(ValueError):
                name = called(name, self._config.cassette.dir)
        short = name.removesuffix("/openai")
        folder = self._config.cassette.dir
        with suppress(ValueError):
            if short != name and not path_of(folder, name).exists():
                return short if path_of(folder, short).exists() else name
        return name

    def _keep(self, name: str, deck: Deck) -> None:
        """Keep a deck: for good if there is anything to lose, else until others were asked for."""
        self._blank[name] = deck
        self._blank.move_to_end(name)
        surplus = [next(iter(self._blank))] if len(self._blank) > _BLANK_KEPT else []
        for one in {name, *surplus}:
            if not self._blank[one].is_blank:
                self._decks[one] = self._blank.pop(one)
        if len(self._blank) > _BLANK_KEPT:
            self._blank.popitem(last=False)

    @property
    def _default_name(self) -> str:
        """The cassette of a bare base_url that names none: empty where none is written."""
        recording = self._config.mode in (Mode.RECORD, Mode.RECORD_MISSING)
        return DEFAULT_CASSETTE if recording else ""

    async def _open(self, name: str) -> Deck:
        """Make the deck of this name: its stores by the table above, its play by the settings."""
        if self._database is None:
            return Deck(name, (), Playing(), exists=lambda: False)
        stores: list[Store] = []
        tape: Cassette | LoadedCassette | Shelf | None = None
        if name:
            tape = await self._cassette(name, self._database)
            stores.append(self._holding(tape) if isinstance(tape, Cassette) else tape)
        elif self._config.mode is Mode.REPLAY:
            tape = Shelf(self._config.cassette.dir, self._database, self._canon)
            stores.append(tape)
        # They are looked through in this order, and the last one is written to.
        if self._cache:
            stores.append(self._cache)
        playing = Playing(
            newest=self._cache is not None,
            converts=self._config.mode is not Mode.RECORD_MISSING,
            adopts=self._config.mode is Mode.REPLAY,
            draws=self._config.record.draws if self._config.mode is Mode.RECORD_MISSING else 1,
            after_last=AfterLast(self._config.replay.after_last),
            expires=_expires(self._config),
            on_expired=_on_expired(self._config),
            scope=scope_of(self._config),
        )
        return Deck(
            name,
            stores,
            playing,
            writer=stores[-1],
            exists=(lambda: tape.exists) if tape else (lambda: True),
            refresh=tape.refresh if tape else None,
            glance=tape.glance if tape else lambda _: Glance(),
            rules=(lambda: tape.rules) if tape else tuple,
            memory=self._memory,
        )

    def _holding(self, tape: Cassette) -> Store:
        """The cassette, or with `hold` a store before it that keeps back what is put."""
        if not self._hold:
            return tape
        from .stores.held import Held

        self.held.append(Held(tape))
        return self.held[-1]

    async def _cassette(self, name: str, database: Database) -> "Cassette | LoadedCassette":
        """A cassette behind its index in the database, or a small one read into memory."""
        try:
            path = path_of(self._config.cassette.dir, name)
            refuse_outside(self._config.cassette.dir, path)
        except ValueError as error:
            raise ClientError(f"no cassette can have this name: {error}", code="bad_name") from None
        # Who holds back is a test, and what a test replays it replays once: to index the file
        # takes longer than to read it.
        if self._hold and self._config.mode is Mode.REPLAY:
            from .stores.cassettes.loaded import LoadedCassette

            if LoadedCassette.fits(path):
                loaded = LoadedCassette(path, self._canon)
                await loaded.refresh()
                return loaded
        return await Cassette.open(name, path, database, self._canon)


def _expires(config: Config) -> float | None:
    """Seconds after which a cassette's recording is too old; None for never.

    The cache has its own `store.ttl`; mode record asks anew whatever there is.
    """
    plays = config.mode in (Mode.REPLAY, Mode.RECORD_MISSING)
    return config.replay.expires if plays else None


def _on_expired(config: Config) -> OnExpired:
    """The way to treat a recording that is too old.

    Where the mode cannot do what the configuration wants, it is a warning: only replay fails,
    and only record-missing records again, though never in CI.
    """
    wanted = OnExpired(config.replay.on_expired)
    recording = config.mode is Mode.RECORD_MISSING and not in_ci(os.environ)
    able = {OnExpired.FAIL: config.mode is Mode.REPLAY, OnExpired.RECORD: recording}
    return wanted if able.get(wanted) else OnExpired.WARN
