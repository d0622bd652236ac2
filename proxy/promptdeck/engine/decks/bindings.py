"""Which recorded ids stand for those of the run that asks, in requests that say nothing else.

By a preset all polls of jobs have one form, whatever the ids in their paths, and no body tells
them apart. The very id is meant where it is recorded. Another one stands for the first recorded
id that no other does, and for that one in all that the run goes on to ask, in whatever order:
so several jobs that are polled side by side each get their own answers.
"""

from collections.abc import Callable, Sequence

from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.matching.leaves import said_where_named
from promptdeck.stores.base import Sought, Stored

_NAMED = "⟨".encode()


class Bindings:
    """The ids of one run, each with the recorded one that it stands for.

    With `adopts`, one that is not recorded may stand for another; not where upstream may be
    asked, who knows it.
    """

    def __init__(self, *, adopts: bool) -> None:
        self._adopts = adopts
        self._recorded: dict[str, str] = {}

    def meant(self, sought: Sought, rows: Sequence[Stored]) -> Sequence[Stored]:
        """Of the recordings of a form, those of the ids that a request has in its target.

        All of them where it has a body, or no named id. From now on its ids stand for these.
        """
        if not sought.aimed or not rows or not is_bare(sought.canonical):
            return rows
        asked, ids = sought.aimed, [ids_of(row) for row in rows]
        chosen = asked if asked in ids else next(filter(self._fits_for(asked), ids), None)
        if chosen is None:
            return ()
        self._recorded.update(zip(asked, chosen, strict=True))
        return [row for row, one in zip(rows, ids, strict=True) if one == chosen]

    def _fits_for(self, asked: tuple[str, ...]) -> Callable[[tuple[str, ...]], bool]:
        """Tells of recorded ids whether each may be what the one asked stands for."""
        taken = set(self._recorded.values())

        def fits(ids: tuple[str, ...]) -> bool:
            return len(ids) == len(asked) and all(
                self._recorded[new] == old if new in self._recorded else old not in taken
                for new, old in zip(asked, ids, strict=True)
            )

        return fits if self._adopts else lambda _: False


def is_bare(canonical: bytes) -> bool:
    """True for the form of a request without a body."""
    return canonical.find(b"\n") == len(canonical) - 1


def ids_of(stored: Stored) -> tuple[str, ...]:
    """The ids in the target of a recorded request without a body, where its form has names.

    None for any other request.
    """
    form = stored.canonical
    if not is_bare(form) or _NAMED not in form:
        return ()
    request = stored.interaction.request
    raw = dialect_of(request.method, request.target).counted_target(request.target)
    named = form[:-1].decode("utf-8", "surrogatepass").partition(" ")[2]
    return said_where_named(raw, named)
