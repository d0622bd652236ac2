"""The first step of a run, found without running it: what the model is asked before any call."""

from collections.abc import Mapping, Sequence

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.mcp.dialect import TOOLS, server_in
from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.table import dialect_in
from promptdeck.core.interaction import Interaction
from promptdeck.core.text.jsontext import JSONObject

from .asked import Wish
from .offering import offered
from .running import Running, names_of


class _Nothing:
    """Nothing is known of turns that were left to clients."""

    def turn_of(self, call: str) -> JSONObject | None:
        """None."""

    def result_of(self, call: str) -> str | None:
        """None."""


def first_question(
    body: JSONObject, wish: Wish, listed: Mapping[str, Sequence[JSONObject]]
) -> JSONObject:
    """The body of a run's first request to the model.

    `listed` are the tools of servers by the servers' names; one that is missing offers none.
    """
    tools = [(server.name, listed.get(server.name, ())) for server in wish.servers]
    offers = offered(tools, names_of(body.get("tools")))
    return Running(body, wish, offers, {}, _Nothing(), "").question()


def listed_in(recording: Interaction) -> tuple[str, list[JSONObject]] | None:
    """A server's name and tools, where a recording is of its list of them; None elsewhere."""
    if dialect_in(recording.request) is not TOOLS:
        return None
    result = as_object(as_object(value_of(recording.response.body)).get("result"))
    if not isinstance(result.get("tools"), list):
        return None
    tools = [one for one in as_list(result.get("tools")) if isinstance(one, dict)]
    return server_in(recording.request.target), tools
