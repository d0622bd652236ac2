"""`promptdeck match`: what does not count when two requests are compared."""

from typing import Any

import click

from promptdeck.core.matching.presets import PRESETS, merged_presets
from promptdeck.core.matching.volatile import Preset

from . import options
from .output import print_rows


@click.group("match")
def command() -> None:
    """Look at what does not count when two requests are compared.

    \b
    Examples:
      promptdeck match show
      promptdeck match show claude-code --json
    """


@command.command("show")
@click.argument("preset", required=False, type=click.Choice(list(PRESETS)))
@options.as_json
def show(preset: str | None, *, as_json: bool) -> None:
    """Show the presets there are, or all of one.

    What `match.preset` can be, and what each renames or leaves out before requests are compared.

    \b
    Examples:
      promptdeck match show
      promptdeck match show codex
      PROMPTDECK_MATCH_PRESET=codex promptdeck serve --mode replay
    """
    if preset is None:
        print_rows([_summary(item) for item in PRESETS.values()], as_json=as_json)
        return
    print_rows([row for part in _parts(preset) for row in _rows(part)], as_json=as_json)


def _parts(name: str) -> list[Preset]:
    """A preset and those that it includes, itself first."""
    return [PRESETS[part] for part in merged_presets([name]).name.split("+")]


def _summary(preset: Preset) -> dict[str, Any]:
    """A row about a preset."""
    return {
        "preset": preset.name,
        "for": preset.about,
        "includes": ", ".join(preset.includes),
        "made from": preset.source,
    }


def _rows(preset: Preset) -> list[dict[str, Any]]:
    """A row for each entry of a preset: what becomes of it, where it is looked for, and why."""
    found: list[tuple[str, str, str]] = []
    found += (("left out", item.written, item.about) for item in preset.left)
    for identity in preset.identities:
        found += ((f"⟨{identity.name}-1⟩", path, identity.about) for path in identity.written)
    for spot in preset.spots:
        everywhere = ", then everywhere" if spot.spreads else ""
        at = f"at {' or '.join(map(repr, spot.hints))}"
        where = (f"before {spot.behind.pattern}" if spot.behind else at) + everywhere
        found.append((f"⟨{spot.name}⟩", where, spot.about))
    found += ((f"⟨{item.name}-1⟩", item.pattern.pattern, item.about) for item in preset.tokens)
    for named in preset.told:
        where = f"{', '.join(map(repr, named.keys))}, in any spelling, then everywhere"
        found.append((f"⟨{named.name}⟩", where, named.about))
    return [
        {"preset": preset.name, "becomes": becomes, "where": where, "what": what}
        for becomes, where, what in found
    ]
