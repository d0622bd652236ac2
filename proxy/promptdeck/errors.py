"""Every error that someone catches, and whose fault it is.

    PromptdeckError
    ├── UsageError               the command line or the configuration is wrong
    │   ├── ConfigError          a setting; names its path
    │   ├── CassetteError        a cassette file; names file and line
    │   ├── StoreError           the SQLite file
    │   └── BindError            host and port
    └── HTTPError                goes to the client as JSON; blame decides the status
        ├── ClientError          4xx: the request
        │   └── CassetteMiss     404: replay has no recording; never retried
        ├── UpstreamError        502, 504: the provider, or the way to it
        └── StoreUnavailable     503: replay cannot read its recordings

A usage error leaves the program with its own `exit_code` and one line; an HTTP
error keeps the server running.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class PromptdeckError(Exception):
    """Base of everything promptdeck raises on purpose."""


class UsageError(PromptdeckError):
    """Ends a command with one line on stderr and `exit_code`."""

    exit_code: ClassVar[int] = 1


class ConfigError(UsageError):
    exit_code = 3


class CassetteError(UsageError):
    exit_code = 4


class BindError(UsageError):
    exit_code = 5


class StoreError(UsageError):
    exit_code = 7


class HTTPError(PromptdeckError):
    """An error that goes to the client: `status`, `code`, `message`, and what SDKs read too."""

    status: int = 500
    code: str = "internal_error"
    type: str = "promptdeck_error"
    retry: bool | None = None
    """What `x-should-retry` says; None leaves it to the client."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        param: str | None = None,
        details: Mapping[str, Any] | None = None,
        retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.status = status or self.status
        self.param = param
        self.retry = self.retry if retry is None else retry
        self.details = details
        self.cache_status = ""
        """The `Cache-Status` header it goes with, if any."""


class ClientError(HTTPError):
    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class CassetteMiss(ClientError):
    status = 404
    code = "cassette_miss"
    retry = False


class UpstreamError(HTTPError):
    status = 502
    code = "upstream_unreachable"
    type = "upstream_error"


class StoreUnavailable(HTTPError):
    status = 503
    code = "store_unavailable"
    retry = False
