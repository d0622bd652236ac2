"""From another tool's entry to a recording: redacted, checked and keyed as the recorder does."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from promptdeck.core.dialects.base import Dialect, is_error, value_of
from promptdeck.core.dialects.providers import PROVIDERS
from promptdeck.core.dialects.table import answered_in
from promptdeck.core.headers import CREDENTIALS, kept, secrets
from promptdeck.core.interaction import Headers, Interaction, Request, Response, header
from promptdeck.core.matching.clean import keepable
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import NO_RULES
from promptdeck.core.secrets.answers import cleared_response
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.targets import BEFORE_ANOTHER, asked_below, below, target_of
from promptdeck.core.text import sse
from promptdeck.core.text.lines import data_of
from promptdeck.core.varying import UNTOLD, named, selecting, varies, with_varied
from promptdeck.stores.cassettes.save import New

from .entry import Imported, NotCarried
from .lost import ENDPOINTS, UNKNOWN, endpoint_of


def carry(
    found: Imported,
    redactor: Redactor,
    *,
    otherwise: float,
    errors: bool = False,
    unfinished: bool = False,
    url: str = "",
) -> New | NotCarried:
    """The recording of an entry, which replaces older ones of its request; or why there is none.

    `otherwise` is when it was recorded (seconds since the epoch), should neither the file nor
    the answer say; `errors` says whether error answers are kept as facts, `unfinished` whether
    those are that their protocol calls half an answer; `url` is what was asked where the file
    does not say. ValueError for a URL that cannot be written.
    """
    if not (whole := found.url or _url_of(found, url)):
        mend = "--url URL says it" if found.method == "POST" else ""
        return NotCarried(found.place, "its URL is lost, and its answer does not tell it", mend)
    upstream, target = split(whole, found.target)
    sent = found.request_headers
    # Nearly every client sends one of these; a file that has neither may have lost them.
    heard = any(name.lower() in ("accept", "range") for name, _ in sent)
    chosen = selecting(sent) if heard else UNTOLD
    asked = Request(found.method, target, header(sent, "content-type"), found.body, chosen)
    form = normalize(asked, NO_RULES, redactor)
    if form.dialect.converts and not asked.body:
        return NotCarried(found.place, "its request has no body")
    response = Response(found.status, _kept(found), found.frames)
    dialect = answered_in(asked, response.headers)
    if problem := _problem(response, dialect, errors=errors, unfinished=unfinished):
        return NotCarried(found.place, *problem)
    moment = moment_of(found)
    told = moment.dated if moment.told is None else moment.told
    request, in_request = keepable(asked, redactor)
    request = with_varied(request, response, sent)
    response, in_response = cleared_response(redactor, response, secrets(found.request_headers))
    interaction = Interaction(
        id="",
        key=fingerprint(form.canonical),
        variant=form.variant,
        recorded_at=round(told if told is not None else otherwise, 3),
        upstream=redactor.query(upstream),
        request=request,
        response=response,
        redacted=in_request + in_response.total(),
    )
    return New(interaction, form.canonical, replace=True)


def _kept(found: Imported) -> Headers:
    """An answer's headers; of its `Vary` what the file has of the request's head.

    What a tool has not written nothing can be compared by.
    """
    varied = named(found.request_headers, varies(found.headers))
    vary = ", ".join(name for name, _ in varied if name not in CREDENTIALS)
    headers = [item for item in found.headers if item[0].lower() != "vary"]
    return kept((*headers, ("vary", vary)))


def _url_of(found: Imported, url: str) -> str:
    """The URL of an entry that has lost it; empty if nothing tells it.

    By what its answer is, at the base URL of `url`, what the user says was asked. Where the
    answer is no sign of its endpoint, that one itself, which is no sign of what was fetched.
    """
    endpoint = endpoint_of(found.method, b"".join(frame.data for frame in found.frames))
    if not url:
        return UNKNOWN + endpoint if endpoint else ""
    base, target = split(url)
    path = target.partition("?")[0]
    if endpoint and path != endpoint and (found.method == "GET" or path in ENDPOINTS):
        return below(base, endpoint)
    return url if found.method == "POST" else ""


KEEP_ERRORS = "--errors carries it"
KEEP_UNFINISHED = "--keep-unfinished carries it"


def _problem(
    response: Response, dialect: Dialect, *, errors: bool, unfinished: bool
) -> tuple[str, str] | None:
    """Why an answer is not kept, and what keeps it; None if it is."""
    if response.status >= 400:
        told = f"its answer is an error, status {response.status}"
        return None if errors else (told, KEEP_ERRORS)
    # A redirect, or that nothing has changed, is all that its answer is.
    problem = dialect.problem_with(response) if response.status < 300 else None
    if problem is None:
        return None
    if _tells_of_error(response):
        return None if errors else (problem, KEEP_ERRORS)
    return None if unfinished else (problem, KEEP_UNFINISHED)


def _tells_of_error(response: Response) -> bool:
    """True for an answer that is an error though its status is not."""
    if not response.is_stream:
        return is_error(value_of(response.body))
    said = [data_of(frame.data).encode("utf-8", "replace") for frame in response.frames]
    named = any(sse.parse(frame.data).event == "error" for frame in response.frames)
    return named or any(is_error(value_of(text)) for text in said)


class Moment(NamedTuple):
    """When an entry was recorded, in seconds since the epoch; None where that is not said."""

    told: float | None
    """As the file says it."""
    dated: float | None
    """As the answer's `Date` header says it."""


def moment_of(found: Imported) -> Moment:
    """When an entry was recorded, as far as its file and its answer say."""
    dated = None
    with suppress(ValueError, OverflowError):
        dated = parsedate_to_datetime(_date(found.headers)).timestamp()
    return Moment(
        *(
            one if one is not None and 0 <= one < _LAST else None
            for one in (found.recorded_at, dated)
        )
    )


def in_file_order(found: Sequence[Moment], otherwise: float) -> list[float]:
    """The time of each entry of a file, such that replay keeps the file's order.

    What the file tells stands. A `Date` is of another clock, exact to the second, and the tool
    that wrote the file played it from top to bottom: what has no other time is never earlier
    than the entry above it, and takes the time of that one where it has none; at the top that
    of the first entry that has one, or `otherwise`. Several may have one time.
    """
    known = [one.dated if one.told is None else one.told for one in found]
    latest = next((one for one in known if one is not None), otherwise)
    times = []
    for one, time in zip(found, known, strict=True):
        if time is not None:
            latest = time if one.told is not None else max(latest, time)
        times.append(latest)
    return times


_LAST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""Seconds since the epoch: a year of more than four digits, no cassette can hold."""


def _date(headers: Headers) -> str:
    return header(headers, "date")


class Split(NamedTuple):
    """A URL as a client of promptdeck asks for it: `upstream`, and `target` below it."""

    upstream: str
    target: str


def split(url: str, target: str = "") -> Split:
    """Cut a URL into base URL and target, at `target` where the file tells it.

    Else before /deployments/NAME/..., as Azure's clients append it to their endpoint; before
    what OpenAI's and Anthropic's clients append to theirs; before a version that only one
    provider has, such as Google's /v1beta/; after the first /v1; after the base URL of a known
    provider; or after the host, in this order.
    """
    parts = urlsplit(url)
    origin = f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2]}"
    path, query = parts.path, f"?{parts.query}" if parts.query else ""
    rest = below("", target)
    if target and (path + query).endswith(rest):
        return Split(origin + (path + query).removesuffix(rest), target)
    base = _base(origin, path)
    # With nothing behind it the slash stands all the same: no request can ask for less.
    return Split(base, target_of(asked_below(base, origin + (path or "/"))) + query)


def _base(origin: str, path: str) -> str:
    """The base URL of a URL, of which the file does not tell where it ends."""
    whole = origin + path
    for ends in _ENDS:
        if match := ends.match(path):
            return origin + match[1]
    known = [base for base in PROVIDERS.values() if whole.startswith(base + "/")]
    return max(known, key=len, default=origin)


# Where the base URL ends in a path. OpenAI's client appends an endpoint to any base_url, as
# those of gateways and of providers with another prefix (`/api/paas/v4`) are; Anthropic's
# appends its /v1, too. `/api/embeddings` is Ollama's own, whose client appends all of it.
_ENDS = (
    re.compile(r"(.*?)(?=/deployments/[^/]+/)"),
    re.compile(
        r"(.*?)/(?:chat/completions|(?<!/api/)(?<!/usage/)(?:(?:fim/)?completions|embeddings"
        r"|responses|moderations|images/(?:generations|edits|variations)"
        r"|audio/(?:speech|transcriptions|translations)))$"
    ),
    re.compile(r"(.*/v1)/messages(?:/count_tokens|/batches)?$"),
    BEFORE_ANOTHER,
    re.compile(r"(.*?/v1)/"),
)
