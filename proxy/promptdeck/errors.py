"""Every error that someone catches, and whose fault it is.

    PromptdeckError
    ├── UsageError               the command line or the configuration is wrong
    │   ├── ConfigError          a setting; names its path
    │   ├── CassetteError        a cassette file; names file and line
    │   ├── StoreError           the SQLite file
    │   └── BindError            host and port
    └── HTTPError                goes to the client as JSON; blame decides the status
        ├── ClientError          4xx: the request
        │   ├── CassetteMiss     400, 404: replay has no recording; never retried
        │   └── PatternError     400: a user's regular expression takes too long
        ├── UpstreamError        502, 504: the provider, or the way to it
        │   └── Unsendable       400: a request that no upstream can be sent
        └── StoreUnavailable     503: replay cannot read its recordings

A usage error ends the program with its own `exit_code` and a line on stderr; an HTTP
error ends one request and keeps the server running. README has a table of the exit codes.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class PromptdeckError(Exception):
    """Base of everything promptdeck raises on purpose."""


class UsageError(PromptdeckError):
    """Ends a command with its message on stderr and `exit_code`."""

    exit_code: ClassVar[int] = 1


class ConfigError(UsageError):
    """Settings that cannot be read: a line for each, with its source and its path."""

    exit_code = 3


class CassetteError(UsageError):
    """A cassette that is corrupt, too new, or cannot be read or written."""

    exit_code = 4


class ForeignFile(CassetteError):
    """A file among cassettes that is none: another tool's recording, or no recording at all."""


class BindError(UsageError):
    """The host and port of the configuration cannot be listened on."""

    exit_code = 5


class StoreError(UsageError):
    """The store's SQLite file cannot be opened, or is of a newer version."""

    exit_code = 7


class HTTPError(PromptdeckError):
    """An error that goes to the client, as the JSON that the openai and dedalus SDKs read.

    `code`, `status` and `retry` are the class's own unless they are given; `param` is the JSON
    path or the name of what is wrong, `details` whatever else a program may want to know.
    """

    status: int = 500
    code: str = "internal_error"
    type: str = "promptdeck_error"
    """OpenAI's word for the kind of error; programs tell kinds apart by it."""
    retry: bool | None = None
    """The header `x-should-retry`, which the SDKs obey; None leaves it to the client."""

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
        """The `Cache-Status` header that it is sent with; empty for none."""
        self.headers: Mapping[str, str] = {}
        """Other headers that it is sent with."""


class ClientError(HTTPError):
    """The request is wrong, or asks for what is not there."""

    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class CassetteMiss(ClientError):
    """Replay has no recording of a request; `details` has the nearest one and the difference.

    Not to be tried again: the same request would miss again. 404 where no model was asked.
    """

    code = "cassette_miss"
    retry = False


class PatternError(ClientError):
    """A user's regular expression took too long, or could not be run.

    Not to be tried again: it would take as long.
    """

    code = "bad_pattern"
    retry = False


class UpstreamError(HTTPError):
    """Upstream did not answer, or its answer broke off; 504 where it took too long."""

    status = 502
    code = "upstream_unreachable"
    type = "upstream_error"


class Unsendable(UpstreamError):
    """A request that is sent to nobody, as it is wrong for whom it is meant."""

    status = 400
    code = "unsendable"
    type = "invalid_request_error"
    retry = False


class StoreUnavailable(HTTPError):
    """The store cannot be read, or a recording not be saved, while a server runs.

    Not to be tried again: SDKs would ask for seconds what is wrong until somebody mends it.
    """

    status = 503
    code = "store_unavailable"
    retry = False
