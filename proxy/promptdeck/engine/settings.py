"""What one exchange is set to: the configuration as far as the engine knows it."""

from fnmatch import fnmatchcase
from typing import NamedTuple

from promptdeck.core.interaction import Request
from promptdeck.core.matching.rules import Rules
from promptdeck.core.policy import Mode
from promptdeck.core.secrets.redact import Redactor


class Settings(NamedTuple):
    """The same for all requests of an exchange, whatever deck they are asked of."""

    mode: Mode
    rules: Rules
    redactor: Redactor
    upstream: str
    """Base URL, as recordings name it."""
    secrets: tuple[str, ...]
    """Known secrets, such as the upstream's key: they are taken out of recordings."""
    keep_bytes: int
    """Larger answers pass through and are not recorded."""
    keep_errors: bool
    """Whether answers that are errors are recorded, too."""
    outlives_client: bool
    """Whether a recording goes on when its last client leaves."""
    ttl: float | None
    """Seconds for which a cache may serve an answer; None: for ever."""
    pure: tuple[str, ...] = ()
    """Paths behind /v1/, as `fnmatch` patterns, whose calls are functions of their request."""
    stateful: tuple[str, ...] = ()
    """Paths likewise whose calls are not, whatever their dialect says; they win over `pure`."""

    runs_tools: bool = False
    """Whether requests that name MCP servers are answered by runs (`engine.agent`)."""

    def may_run(self, asked: Request) -> bool:
        """True for a request that may be answered by a run."""
        return self.runs_tools and b'"mcp_servers"' in asked.body

    def is_stateful(self, asked: Request, by_dialect: bool) -> bool:
        """True where a call is no function of its request: as set, or else as its dialect says."""
        if not (self.pure or self.stateful):
            return by_dialect
        path = asked.target.partition("?")[0].removeprefix("/v1/").rstrip("/")
        if any(fnmatchcase(path, pattern) for pattern in self.stateful):
            return True
        return by_dialect and not any(fnmatchcase(path, pattern) for pattern in self.pure)
