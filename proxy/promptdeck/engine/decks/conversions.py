"""Recorded answers in another variant than they were recorded in: a stream of JSON and so on."""

from collections import OrderedDict

from promptdeck.core.dialects.chat import variants
from promptdeck.core.interaction import Interaction, Response, Variant

# The two ways to lose least first: a stream with usage holds all that JSON holds, and the reverse.
STAND_INS = {
    Variant.JSON: (Variant.SSE_USAGE, Variant.SSE),
    Variant.SSE: (Variant.SSE_USAGE, Variant.JSON),
    Variant.SSE_USAGE: (Variant.JSON, Variant.SSE),
}
"""By variant asked for: in which variants an answer may stand in for it, best first."""

_KEPT = 256
"""Conversions that are remembered. Most recordings are asked for as they were recorded. To cut an
answer of 1.5 KB into 275 frames takes 0.8 ms, to fold those 1.2; they are 55 KB, so that some 14 MB
are remembered at most of such."""


class Conversions:
    """`response` in the variant asked for; the latest that were made are remembered."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, str, Variant], Response | None] = OrderedDict()
        """By key and id of the recording, and the variant it was converted to."""

    def response(self, interaction: Interaction, variant: Variant) -> Response | None:
        """The recorded response in a variant; None if it lacks what that variant holds.

        An error is the same in all variants, and so is returned as it was recorded.
        """
        if interaction.variant == variant or interaction.response.status != 200:
            return interaction.response
        place = (interaction.key, interaction.id, variant)
        if place not in self._made:
            self._made[place] = _converted(interaction.response, variant)
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return self._made[place]


def _converted(response: Response, variant: Variant) -> Response | None:
    """A chat completion in another variant; None if it can't be told in that."""
    try:
        if variant is Variant.JSON:
            return variants.to_json(response) if response.is_stream else response
        usage = variant is Variant.SSE_USAGE
        stream = response if response.is_stream else variants.to_stream(response, usage)
        if usage:
            # Usage that was not recorded cannot be made up.
            known = variants.has_usage(frame.data for frame in stream.frames)
            return stream if known else None
        frames = variants.without_usage(stream.frames)
    except ValueError:
        return None
    return Response(stream.status, stream.headers, frames)
