"""Why upstream cannot be reached, in words that say what to do."""

import re
import socket
import ssl
from collections.abc import Iterator

from yarl import URL

_USERINFO = re.compile(r"//[^/@\s']*@")
"""Name and password in a URL, as they stand in an error's text."""
_LIBRARY = re.compile(r"^\[SSL[^]]*\] | \(_ssl\.c:\d+\)")
"""What Python puts around the words of OpenSSL."""

_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
"""OpenSSL's words where what comes is no TLS; which one depends on its version."""


def unreachable(
    base: str, error: Exception, proxy: str | None = None, setting: str = "--upstream"
) -> str:
    """The sentence for a client whose call to `base` ended with `error` before any answer.

    `proxy` is the URL of the proxy that was on the way; `setting` is what names `base`. No secret
    of either is in it.
    """
    why, mend = _told(base, error, setting)
    if proxy:
        url, host = URL(proxy), URL(base).host
        mend = (
            f"it was asked through the proxy {url.host}:{url.port}, as the environment says;"
            f" NO_PROXY={host} goes past that"
        )
    # A proxy's refusal names it as it is set, with its password.
    return _USERINFO.sub("//", f"cannot reach {base}: {why}" + (f"; {mend}" if mend else ""))


def _told(base: str, error: Exception, setting: str) -> tuple[str, str]:
    """What happened, and what to do about it; the latter is empty where nobody knows."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return (
                    f"its certificate is not trusted ({cause.verify_message})",
                    "if it is your own, start promptdeck with SSL_CERT_FILE=FILE, its CA as PEM",
                )
            case ssl.SSLError() if getattr(cause, "reason", "") in _NO_TLS:
                return "no TLS is spoken there", "is its URL one with http://?"
            case ssl.SSLError():
                return _LIBRARY.sub("", str(cause)), ""
            case socket.gaierror():
                return (
                    f"there is no host {URL(base).host} ({cause.strerror})",
                    "check upstream.url and the network",
                )
            case ConnectionRefusedError():
                return (
                    "nothing listens there (connection refused)",
                    f"start it, or name another upstream ({setting})",
                )
    return str(error) or type(error).__name__, ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those below it: aiohttp wraps what the system said."""
    while error:
        yield error
        error = getattr(error, "os_error", None) or error.__cause__
