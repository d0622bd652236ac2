"""Signatures on their way through a client that knows nothing of them: who signed goes with them.

Where a client's protocol has a place for a signature, it gets the upstream's with its name and the
model's in front, in base64, as clients of Google take nothing else; one that its own provider made
stays as it is. So a signature that comes back tells where it may go.
"""

import base64
import binascii

from .aim import Aim
from .neutral import Signed

_MARK = b"promptdeck/1"
SEAL = base64.b64encode(_MARK)
"""What each of ours begins with, and no other: twelve bytes make sixteen characters."""


def sealed(signed: Signed) -> str:
    """A signature as a client of another protocol keeps it: base64 that tells who signed what."""
    names = f"\0{signed.upstream}\0{signed.model}\0{signed.text}"
    return base64.b64encode(_MARK + names.encode("utf-8", "surrogatepass")).decode()


def opened(text: str, upstream: str = "", model: str = "") -> Signed:
    """A signature as a client has sent it back.

    One without our seal was made by the client's own provider: `upstream` and `model` are that
    one's names, as far as they are known.
    """
    if text.startswith(SEAL.decode()):
        try:
            data = base64.b64decode(text, validate=True)[len(_MARK) :]
            _, upstream_of, model_of, own = data.decode("utf-8", "surrogatepass").split("\0", 3)
            return Signed(upstream_of, model_of, own)
        except (binascii.Error, ValueError):
            pass  # cut off, or written by nobody: it goes nowhere
        return Signed("", "", "")
    return Signed(upstream, model, text)


def goes_to(signed: Signed | None, aim: Aim) -> bool:
    """True if a signature may go where a request is sent: it came from that model of there.

    Where the model that signed is not known, the upstream decides.
    """
    if signed is None or not (signed.text and signed.upstream):
        return False
    return signed.upstream in (aim.upstream, aim.provider) and signed.model in ("", aim.model)
