"""What is noted on a request on its way, for those who have it later."""

from aiohttp import web

from proxy.engine.repeat import Alike, Repeat

from .ready import Lane

REQUEST_ID = web.RequestKey("id", str)
REPEAT = web.RequestKey("repeat", Repeat)
"""Set on a request whose answer may be remembered."""
ALIKE = web.RequestKey("alike", Alike)
"""Set with it, for requests that say the same in other words."""
LANE = web.RequestKey("lane", Lane)
"""Set on a request if others of the same head may fly."""
