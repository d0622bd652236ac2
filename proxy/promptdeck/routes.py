"""From a configuration and an environment to where requests go: upstreams, keys, the choice."""

from collections.abc import Mapping

from .config import Config
from .core.dialects.homes import Homes
from .core.dialects.providers import PROVIDERS
from .core.routing.choosing import Choosing
from .core.routing.upstreams import BUILTINS, Declared, NamedUpstream, named_upstreams
from .core.text.jsontext import JSON, canonical
from .errors import ClientError

_SAME_API = ("anthropic", "google", "ollama")
"""Those of `upstream.NAME` whose base URL is that of the upstream of the same name as well: Cohere
speaks chat completions elsewhere, and Azure has none that is known."""


def upstreams_of(config: Config, environ: Mapping[str, str]) -> dict[str, NamedUpstream]:
    """The upstreams by name, with the keys that the configuration and the environment have.

    One that is the default upstream by another name has its key, where it has none of its own.
    """
    said = [
        Declared(
            name,
            one.dialect,
            one.base_url or "",
            one.api_key or "",
            one.auth,
            one.retries,
            one.by_responses,
        )
        for name, one in config.upstreams.items()
    ]
    beside = config.upstream.beside
    urls = {name: beside[name] for name in _SAME_API if name in beside}
    own = config.upstream
    return {
        # Named at all, even without a setting, is declared.
        name: _with_own_key(
            one._replace(declared=name in config.upstreams), own.url, own.api_key or ""
        )
        for name, one in named_upstreams(said, environ, urls).items()
    }


def _with_own_key(one: NamedUpstream, url: str, key: str) -> NamedUpstream:
    if one.key or not key or one.url != url:
        return one
    return one._replace(key=key, key_from="upstream.api_key")


def keys_of(config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The keys of the upstreams that are set: what is looked for in each request's body.

    To look for one in 64 KB takes up to 60 us: those that the environment has for others are
    known by their shape.
    """
    named = [one.key for one in upstreams_of(config, environ).values() if one.declared]
    return tuple(dict.fromkeys(filter(None, [config.upstream.api_key, *named])))


def secrets_of(config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """All keys and tokens of a server, and what else is secret of its upstreams."""
    extra = [value for one in config.upstreams.values() for value in one.headers.values()]
    # Short values of headers are words, of which every other answer holds one.
    long = [value for value in extra if len(value) > _SHORT]
    named = [one.key for one in upstreams_of(config, environ).values()]
    own = [config.upstream.api_key, config.server.token]
    return tuple(dict.fromkeys(filter(None, [*own, *named, *long])))


_SHORT = 15


def choosing_of(config: Config, environ: Mapping[str, str]) -> Choosing:
    """How the models of requests are chosen."""
    routing = config.routing
    upstreams = upstreams_of(config, environ)
    return Choosing(config.upstream.url, upstreams, routing.aliases, routing.patterns)


def homes_of(config: Config) -> Homes:
    """Where calls of providers' own protocols go that name no upstream.

    Whoever names a provider among the upstreams has its calls go there, whatever the default is.
    """
    declared = {
        name: one.base_url or BUILTINS[name].url
        for name, one in config.upstreams.items()
        if name in _SAME_API
    }
    return Homes(config.upstream.url, {**declared, **config.upstream.beside})


def providers_of(config: Config) -> dict[str, str]:
    """The base URLs that a request may choose by X-Provider."""
    declared = {
        name: one.base_url
        for name, one in config.upstreams.items()
        if one.base_url and (one.dialect or ("chat",))[0] == "chat" and name not in _SAME_API[:2]
    }
    return {**PROVIDERS, **declared, **{item.name: item.url for item in config.upstream.providers}}


def problems_of(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with how upstreams are set: by the upstream's name, or by the setting."""
    upstreams = upstreams_of(config, environ)
    found: dict[str, str] = {}
    for name, one in upstreams.items():
        if why := _problem(one):
            found[name] = why
    choosing = choosing_of(config, environ)
    for setting, models in (
        ("routing.aliases", config.routing.aliases),
        ("routing.patterns", config.routing.patterns),
    ):
        for name, stands_for in models.items():
            try:
                choosing.choices({"model": [one.replace("*", "MODEL") for one in stands_for]})
            except ClientError as error:
                found[f"{setting}.{name}"] = f"{setting}.{name}: {error.message}"
    return found


def _problem(one: NamedUpstream) -> str:
    """What is wrong with how an upstream is set; empty for nothing."""
    if not one.url:
        return f"set upstreams.{one.name}.base_url: no provider of that name is built in"
    if one.by_responses and "responses" not in one.dialects:
        return "by_responses is set, and responses is not among its dialects"
    if one.key and one.auth == "none":
        return "it has a key, and auth: none keeps that back"
    return ""


def scope_of(config: Config) -> str:
    """What names all that decides where a model's name leads, to keep a cache's answers apart.

    Empty where nothing of that is set: then only the default upstream does.
    """
    named = {
        name: [one.base_url, *one.dialect, *one.by_responses]
        for name, one in config.upstreams.items()
    }
    routing = config.routing
    said: JSON = [named, dict(routing.aliases), dict(routing.patterns)]
    return canonical(said).decode() if named or routing.aliases or routing.patterns else ""
