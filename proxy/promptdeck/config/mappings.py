"""What values may be of what the user names: upstreams, models, the servers of tools."""

import re
from collections.abc import Mapping
from typing import Any

from promptdeck.core.text.jsontext import JSON

from .kinds import COUNT, Kind, optional, whole_url


def upstream_name(text: str) -> str:
    """The name of an upstream, as models begin with it."""
    if not re.fullmatch(r"[a-z0-9_-]+", text):
        raise ValueError
    return text


def _slug(text: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9_.-]+(?:/[a-zA-Z0-9_.-]+)?", text):
        raise ValueError
    return text


def _network(text: str) -> str:
    import ipaddress  # 3 ms, and only where one is set

    if not re.fullmatch(r"[a-zA-Z0-9_.:-]+", text):
        ipaddress.ip_network(text, strict=False)
    return text


def _environment(raw: dict[str, str], place: str) -> Mapping[str, str]:
    for name, value in raw.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ValueError(f"{place}: {name!r} can be no variable's name")
        if not isinstance(value, str) or "\0" in value:
            raise ValueError(f"{place}.{name}: expected text (what was found is hidden)")
    return raw


def _pattern(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


def _retries(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise ValueError
    return int(text)


# RFC 9110, 5.1: a field's name is a token.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _extra_headers(raw: dict[str, str], place: str) -> Mapping[str, str]:
    for name, value in raw.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{place}: {name!r} can be no header's name")
        if not isinstance(value, str) or not re.fullmatch("[ -~]*", value):
            raise ValueError(f"{place}.{name}: expected printable ASCII (what was found is hidden)")
    return raw


def _models_by_name(raw: dict[str, Any], place: str) -> Mapping[str, tuple[str, ...]]:
    """Names, or patterns of them, each with the model, or the models, that it stands for."""
    models: dict[str, tuple[str, ...]] = {}
    for name, said in raw.items():
        several = said if isinstance(said, list) else [said]
        for one in several:
            if not isinstance(one, str) or not one.strip():
                raise ValueError(
                    f"{place}.{name}: expected a model such as openai/gpt-5, or a list"
                )
        if not several:
            raise ValueError(f"{place}.{name}: expected a model, found an empty list")
        models[name] = tuple(several)
    return models


def _written_models(models: Mapping[str, tuple[str, ...]]) -> JSON:
    return {name: one[0] if len(one) == 1 else [*one] for name, one in models.items()}


def _proxy(text: str) -> str:
    if text not in (FROM_ENVIRONMENT, NO_PROXY) and not _PROXY_URL.fullmatch(text):
        raise ValueError
    return text


FROM_ENVIRONMENT, NO_PROXY = "environment", "none"
"""Proxies that are none of the configuration's: what HTTPS_PROXY says, and none at all."""
_PROXY_URL = re.compile(r"https?://[!-~]+")


RETRIES = Kind("a number from 0 to 99", _retries)
OWN_RETRIES = optional(RETRIES)
OWN_COUNT = optional(COUNT)
PATTERN = Kind("a model's name, maybe with *", _pattern)
PROXY = Kind("a proxy's URL, environment or none", _proxy)
EXTRA_HEADERS: Kind[Mapping[str, str]] = Kind(
    "headers such as {X-Team: blue}",
    lambda raw: raw,
    lambda headers: headers,
    (dict,),
    within=_extra_headers,
)
ENVIRONMENT: Kind[Mapping[str, str]] = Kind(
    "variables such as {TZ: UTC}",
    lambda raw: raw,
    lambda variables: variables,
    (dict,),
    within=_environment,
)
SLUG = Kind("a slug such as acme/clock", _slug)
NETWORK = Kind("a host, or a network such as 10.1.0.0/16", _network)
WORD = Kind("a word of a command", _pattern)
WHOLE_URL = optional(Kind("a URL such as https://host.example/mcp", whole_url))
OWN_FOLDER: Kind[str | None] = optional(Kind("a folder", _pattern))
MODELS: Kind[Mapping[str, tuple[str, ...]]] = Kind(
    "models by name such as {fast: openai/gpt-5-mini}",
    lambda raw: raw,
    _written_models,
    (dict,),
    within=_models_by_name,
)
