"""What is noted on a request on its way, for those who have it later."""

from aiohttp import web

from promptdeck.engine.decks.repeat import Repeat
from promptdeck.server.fast.heads import KnownHead

REQUEST_ID = web.RequestKey("id", str)
REPEAT = web.RequestKey("repeat", Repeat)
"""Set on a request whose answer may be remembered."""
HEAD = web.RequestKey("head", KnownHead)
"""Set on a request whose head is known from now on."""
