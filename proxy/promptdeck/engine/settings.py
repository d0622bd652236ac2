"""What one exchange is set to: the configuration as far as the engine knows it."""

from typing import NamedTuple

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
