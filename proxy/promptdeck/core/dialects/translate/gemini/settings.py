"""All of a prompt that is no conversation and no tool, as Google's configuration."""

from typing import Any

from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.dialects.translate.aim import Options, is_idle
from promptdeck.core.dialects.translate.neutral import Prompt, Thinking
from promptdeck.core.text.jsontext import JSON, JSONObject

from .families import GoogleFamily, mused
from .names import BESIDE, GENERATION, TIERS, spelled

_SAMPLING = ("temperature", "top_p", "top_k")
_PENALTIES = ("presence_penalty", "frequency_penalty")
_GENERATION = "$.generationConfig."
_STOPS = 5
"""How many stop sequences there may be (API reference, `GenerationConfig`)."""


def settled(
    prompt: Prompt, family: GoogleFamily, options: Options, *, has_functions: bool
) -> JSONObject:
    """The members of a request's body for what is asked beside; `options` names what is not."""
    if prompt.parallel is False and has_functions:
        options.lose("parallel", "has no counterpart")
    client = options.take("generation_config")
    config: JSONObject = spelled(client) if isinstance(client, dict) else {}
    config |= _sampled(family, options)
    config |= _sounding(prompt, options)
    _shape(prompt, family, options, config, has_functions=has_functions)
    _think(prompt, family, options, config)
    body: JSONObject = {}
    if prompt.dialect == "gemini":
        # What clients of Google ask and no other protocol has.
        for name in prompt.options:
            if name in _KNOWN:
                continue
            holder = config if prompt.path(name).startswith(_GENERATION) else body
            holder[name] = options.take(name)
    body |= _beside(prompt, options)
    return body | ({"generationConfig": config} if config else {})


_KNOWN = {*GENERATION, *BESIDE, "modalities", "metadata", "service_tier", "tool_config"}


def _sampled(family: GoogleFamily, options: Options) -> JSONObject:
    config: JSONObject = {}
    for name, there in GENERATION.items():
        value = options.take(name)
        if value is None or is_idle(name, value):
            continue
        if why := _refusal(name, value, family):
            options.lose(name, why)
        elif name == "stop" and isinstance(value, list) and len(value) > _STOPS:
            options.lose(name, f"the first {_STOPS} of them are kept")
            config[there] = value[:_STOPS]
        else:
            config[there] = value
    if "logprobs" in config:
        config["responseLogprobs"] = True  # else it is refused
    return config


def _refusal(name: str, value: JSON, family: GoogleFamily) -> str:
    """Why a model does not take an option; empty where it does."""
    if name in _SAMPLING and not family.samples:
        return "this model refuses it"
    if name in _PENALTIES and not family.penalises:
        return "penalties are not enabled for this model"
    if name == "n" and not family.counts:
        return "this model gives one answer"
    if name == "seed" and isinstance(value, int) and not -(2**31) <= value < 2**31:
        return "does not fit 32 bits"
    return ""


def _sounding(prompt: Prompt, options: Options) -> JSONObject:
    """What is to be answered with, and in whose voice."""
    config: JSONObject = {}
    kinds = options.take("modalities")
    if isinstance(kinds, list) and not is_idle("modalities", kinds):
        config["responseModalities"] = [str(kind).upper() for kind in kinds]
    audio = options.take("audio")
    if isinstance(audio, dict):
        voice: Any = audio.get("voice")
        voice = voice.get("id") if isinstance(voice, dict) else voice
        if voice:
            named = {"prebuiltVoiceConfig": {"voiceName": voice}}
            config["speechConfig"] = {"voiceConfig": named}
        if audio.get("format") not in (None, "pcm16"):
            options.lose_at(f"{prompt.path('audio')}.format", "audio comes as PCM")
    return config


def _shape(
    prompt: Prompt,
    family: GoogleFamily,
    options: Options,
    config: JSONObject,
    *,
    has_functions: bool,
) -> None:
    """The form that an answer must have."""
    if prompt.shape is None:
        return
    if has_functions and not family.mixes:
        options.lose("shape", "does not go with functions, for this model")
        return
    for name in ("responseSchema", "responseJsonSchema"):
        config.pop(name, None)
    config["responseMimeType"] = "application/json"
    if prompt.shape.schema is not None:
        config["responseJsonSchema"] = prompt.shape.schema


def _think(prompt: Prompt, family: GoogleFamily, options: Options, config: JSONObject) -> None:
    """How much to think, by level or by budget and never by both."""
    client: JSONObject = {**as_object(config.pop("thinkingConfig", None))}
    asked, place = prompt.thinking, "thinking"
    if asked is None and client:
        asked, place = thinking_of(client), "generation_config"
    if asked is None:
        return
    chosen = mused(asked, family)
    if chosen.why:
        options.lose(place, chosen.why)
    shown = asked.shown
    if shown is None and prompt.thinking is not None:
        # Who asks for it wants to see it, unless it is to be turned off.
        shown = not (asked.effort == "none" or asked.mode == "disabled" or asked.budget == 0)
    thinking: JSONObject = {**chosen.config}
    if (shown or client.get("includeThoughts")) and (family.levels or family.budgets):
        thinking["includeThoughts"] = True
    if thinking:
        config["thinkingConfig"] = thinking


def thinking_of(config: JSONObject) -> Thinking:
    """What Google's `thinkingConfig` asks for."""
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    effort = level.lower() if isinstance(level, str) else ""
    return Thinking(
        effort="" if effort == "thinking_level_unspecified" else effort,
        budget=budget if isinstance(budget, int) else None,
        mode="disabled" if budget == 0 else "",
        shown=config.get("includeThoughts"),
    )


def _beside(prompt: Prompt, options: Options) -> JSONObject:
    """What stands beside the configuration of the generation."""
    body: JSONObject = {}
    for name, there in BESIDE.items():
        value = options.take(name)
        if value is not None and not is_idle(name, value):
            body[there] = spelled(value)
    tier = options.take("service_tier")
    if isinstance(tier, str) and tier in TIERS:
        body["serviceTier"] = TIERS[tier]
    elif tier is not None and not is_idle("service_tier", tier):
        options.lose("service_tier", f"there is no tier {tier}")
    labels = prompt.options.get("metadata")
    if isinstance(labels, dict) and all(isinstance(one, str) for one in labels.values()):
        options.take("metadata")
        body |= {"labels": labels} if labels else {}
    return body
