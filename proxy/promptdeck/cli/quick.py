"""Modules loaded without what nobody needs yet: no garbage collection, no CA certificates.

What a module defines stays for good, so looking for garbage among it finds none.
aiohttp reads the CA certificates of the system twice when it is imported, a sixth of
the time that takes, for default TLS contexts; `promptdeck.upstream` uses one of its own,
made for the first call that needs it.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

_CERTIFICATES = "SSL_CERT_FILE"
"""What OpenSSL reads instead of the system's file."""


@contextmanager
def importing() -> Iterator[None]:
    """Make imports inside the block quick.

    In a process of our own only: aiohttp's default TLS contexts, made meanwhile, trust nobody.
    """
    told = os.environ.get(_CERTIFICATES)
    os.environ[_CERTIFICATES] = os.devnull
    gc.disable()
    try:
        yield
    finally:
        # What is there now will not be looked at in any later collection.
        gc.freeze()
        gc.enable()
        if told is None:
            del os.environ[_CERTIFICATES]
        else:
            os.environ[_CERTIFICATES] = told
