"""Recorded answers in another variant than they were recorded in, or another dialect: as their
client reads them.
"""

from collections import OrderedDict
from typing import NamedTuple

from promptdeck.core.dialects.interpreted import Interpreter, Remembering, interpreter_for
from promptdeck.core.dialects.table import dialect_answering
from promptdeck.core.interaction import Interaction, Request, Response, Variant, is_good

# The two ways to lose least first: a stream with usage holds all that JSON holds, and the reverse.
STAND_INS = {
    Variant.JSON: (Variant.SSE_USAGE, Variant.SSE, Variant.LIST, Variant.LINES),
    Variant.SSE: (Variant.SSE_USAGE, Variant.LIST, Variant.JSON),
    Variant.SSE_USAGE: (Variant.JSON, Variant.SSE, Variant.LIST),
    Variant.LIST: (Variant.SSE, Variant.SSE_USAGE, Variant.JSON),
    Variant.LINES: (Variant.JSON,),
}
"""By variant asked for: in which variants an answer may stand in for it, best first."""

_MOST_BYTES = 16 * 1024 * 1024
"""What the remembered conversions of one deck may weigh. To cut an answer of 1.5 KB into 275
frames takes 0.8 ms, to fold those 1.2; they weigh 55 KB, so that some 150 of the usual answers,
all of most cassettes, are made once. A larger one than all this is made each time: one of
`record.max_bytes`, 32 MiB, would be a gigabyte of frames."""
_FRAME_BYTES = 150
"""What a frame weighs beside its data: the objects for itself, its bytes and its number."""
_MOST_VERDICTS = 10_000
"""Recordings of which is remembered whether they convert, some 3 MB: to play a long sequence in
order, those before the one in turn are asked for it again each time."""

_Conversion = tuple[str, str, Variant, int]
"""Key and id of a recording, the variant it is converted to, and a hash of the client's request
where that is in another dialect than the recorded one."""


class _Made(NamedTuple):
    """A conversion and what it was made of."""

    source: int
    """Hash of the recorded response: a recording that replaces another gets the same id."""
    response: Response
    weight: int


class Conversions:
    """Recorded responses in the variant asked for, and in the dialect that they were asked in.

    The latest that were made are remembered. `memory` keeps of translated ones what clients lose.

    A recording is known again by its id and its response: where another has taken its place,
    under the same id, what was made of the old one is not given.
    """

    def __init__(self, memory: Remembering | None = None) -> None:
        self._memory = memory
        self._made: OrderedDict[_Conversion, _Made] = OrderedDict()
        self._bytes = 0
        self._verdicts: OrderedDict[_Conversion, tuple[int, bool]] = OrderedDict()
        """Hash of the recorded response, and whether it converts."""

    def converts(
        self, interaction: Interaction, variant: Variant, client: Request | None = None
    ) -> bool:
        """True if `response` gives this recording in a variant: nothing has to be made up."""
        if _as_recorded(interaction, variant):
            return True
        place = _place(interaction, variant, client)
        source, verdict = self._verdicts.get(place, (0, False))
        if source == hash(interaction.response) and place in self._verdicts:
            return verdict
        return self.response(interaction, variant, client) is not None

    def response(
        self, interaction: Interaction, variant: Variant, client: Request | None = None
    ) -> Response | None:
        """The recorded response in a variant; None if it lacks what that variant holds.

        An error is the same in all variants, and so is returned as it was recorded. What was
        served in another dialect than its client's is translated; `client` is the request of one
        who asks in another dialect than the recorded request.
        """
        interpreter = interpreter_for(interaction, self._memory, client)
        if interpreter is None and _as_recorded(interaction, variant):
            return interaction.response
        place = _place(interaction, variant, client)
        # Keyed by the process and of 64 bits: for an answer to pass for the one that it replaced
        # would take a chance of one in 2**64. Bytes remember their hash, so it costs no second
        # reading of what the store keeps in memory.
        source = hash(interaction.response)
        made = self._made.get(place)
        if made is not None and made.source == source:
            self._made.move_to_end(place)
            return made.response
        response = _converted(interaction, variant, interpreter)
        self._verdicts[place] = source, response is not None
        if len(self._verdicts) > _MOST_VERDICTS:
            self._verdicts.popitem(last=False)
        self._keep(place, source, None if response is interaction.response else response)
        return response

    def _keep(self, place: _Conversion, source: int, response: Response | None) -> None:
        """Remember a conversion in place of an older one, within the bounds of memory."""
        if old := self._made.pop(place, None):
            self._bytes -= old.weight
        weight = _weight(response) if response else 0
        if response is None or weight > _MOST_BYTES:
            return
        self._made[place] = _Made(source, response, weight)
        self._bytes += weight
        while self._bytes > _MOST_BYTES:
            _, oldest = self._made.popitem(last=False)
            self._bytes -= oldest.weight


def _place(interaction: Interaction, variant: Variant, client: Request | None) -> _Conversion:
    """By what a conversion is remembered."""
    return interaction.key, interaction.id, variant, hash(client) if client else 0


def _as_recorded(interaction: Interaction, variant: Variant) -> bool:
    """True if a recording is given to who wants a variant just as it was recorded."""
    return interaction.variant == variant or interaction.response.status != 200


def _weight(response: Response) -> int:
    """Bytes that a response takes in memory, about."""
    return sum(_FRAME_BYTES + len(frame.data) for frame in response.frames)


def _converted(
    interaction: Interaction, variant: Variant, interpreter: Interpreter | None
) -> Response | None:
    """The recorded answer in another variant; None if it can't be told in that."""
    if interpreter:
        told = interpreter.whole(interaction.response, variant)
        return told if _as_recorded(interaction, variant) or is_good(told.status) else None
    try:
        return dialect_answering(interaction).in_variant(interaction.response, variant)
    except ValueError:
        return None
