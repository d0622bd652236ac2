"""The house in order: each module is in the plan and has tests, each name has one meaning."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import promptdeck
from tests import ROOT

PACKAGE = ROOT / "proxy" / "promptdeck"
MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix()
    for path in PACKAGE.rglob("*.py")
    if not path.stem.startswith("__")
)
# Tested where they are used: a protocol by what keeps it, a part by the whole.
TESTED_WITH = {
    "core/agent/calls": "core/agent/test_running",
    "core/agent/credentials": "engine/agent/test_agent",
    "core/agent/functions": "core/agent/test_running",
    "core/agent/history": "core/agent/test_running",
    "core/agent/steps": "engine/agent/test_agent",
    "core/agent/streaming": "core/agent/test_running",
    "core/dialects/mcp/revisions": "mcp/test_wire",
    "engine/agent/relay": "server/test_tools",
    "core/dialects/mcp/dialect": "engine/agent/test_agent",
    "engine/agent/driving": "engine/agent/test_agent",
    "engine/agent/reading": "engine/agent/test_agent",
    "engine/agent/sides": "engine/agent/test_agent",
    "engine/agent/tooling": "engine/agent/test_agent",
    "mcp/house": "engine/agent/test_agent",
    "stores/kept/handoffs": "engine/agent/test_agent",
    "mcp/duplex": "mcp/test_client",
    "mcp/events": "mcp/test_client",
    "mcp/http": "mcp/test_client",
    "mcp/stdio": "mcp/test_client",
    "mcp/trouble": "mcp/test_client",
    "app": "engine/test_exchange",
    "cli/shim": "cli/test_tools",
    "cli/completion": "cli/test_cli",
    "cli/config": "cli/test_cli",
    "cli/difference": "cli/test_cassette",
    "cli/explain": "cli/test_cli",
    "cli/lazy": "cli/test_quick",
    "cli/live": "cli/test_transfer",
    "cli/loop": "cli/test_serve",
    "cli/mergedriver": "stores/cassettes/test_merge",
    "cli/options": "cli/test_cli",
    "cli/store": "cli/test_cli",
    "cli/workers": "cli/test_serve",
    "config/document": "config/test_config",
    "config/loading": "config/test_config",
    "config/mappings": "config/test_config",
    "config/upstreams": "config/test_config",
    "config/settings": "config/test_config",
    "core/contract/answers": "core/contract/test_request",
    "core/contract/compound": "core/contract/test_schema",
    "core/contract/examples": "core/contract/test_openapi",
    "core/contract/messages": "core/contract/test_request",
    "core/contract/page": "core/contract/test_openapi",
    "core/contract/tools": "core/contract/test_request",
    "core/contract/violations": "core/contract/test_schema",
    "core/dialects/base": "core/dialects/test_table",
    "core/dialects/chat/counting": "core/matching/test_normalize",
    "core/dialects/choices": "core/dialects/chat/test_dialect",
    "core/dialects/completions": "core/dialects/test_table",
    "core/dialects/marks": "core/dialects/test_table",
    "core/dialects/pieces": "core/dialects/chat/test_deltas",
    "core/dialects/streamed": "core/dialects/test_contract",
    "core/dialects/translate/chat/calls": "core/dialects/translate/chat/test_hears",
    "core/dialects/translate/chat/details": "core/dialects/translate/chat/test_reads",
    "core/dialects/translate/chat/flavours": "core/dialects/translate/chat/test_writes",
    "core/dialects/translate/chat/passing": "core/dialects/translate/test_passing",
    "core/dialects/translate/chat/spoken": "core/dialects/translate/chat/test_writes",
    "core/dialects/translate/chat/turns": "core/dialects/translate/chat/test_reads",
    "core/dialects/translate/chat/wrapped": "core/dialects/translate/chat/test_reads",
    "core/dialects/translate/gemini/errors": "core/dialects/translate/gemini/test_hears",
    "core/dialects/translate/gemini/grounding": "core/dialects/translate/gemini/test_hears",
    "core/dialects/translate/gemini/names": "core/dialects/translate/gemini/test_reads",
    "core/dialects/translate/gemini/passages": "core/dialects/translate/gemini/test_reads",
    "core/dialects/translate/gemini/schemas": "core/dialects/translate/gemini/test_reads",
    "core/dialects/translate/gemini/settings": "core/dialects/translate/gemini/test_writes",
    "core/dialects/translate/gemini/signatures": "core/dialects/translate/gemini/test_writes",
    "core/dialects/translate/gemini/spoken": "core/dialects/translate/gemini/test_writes",
    "core/dialects/translate/gemini/tools": "core/dialects/translate/gemini/test_writes",
    "core/dialects/translate/gemini/turns": "core/dialects/translate/gemini/test_writes",
    "core/dialects/translate/neutral": "core/dialects/translate/test_aim",
    "core/dialects/translate/responses/heard": "core/dialects/translate/responses/test_hears",
    "core/dialects/translate/responses/items": "core/dialects/translate/responses/test_writes",
    "core/dialects/translate/responses/namespaces": "core/dialects/translate/responses/test_reads",
    "core/dialects/translate/responses/turns": "core/dialects/translate/responses/test_reads",
    "core/dialects/translate/responses/told": "core/dialects/translate/responses/test_tells",
    "core/dialects/variants": "core/dialects/test_contract",
    "core/dialects/gemini/arguments": "core/dialects/test_gemini",
    "core/dialects/gemini/counting": "core/dialects/test_gemini",
    "core/dialects/gemini/cut": "core/dialects/test_contract",
    "core/dialects/gemini/dialect": "core/dialects/test_contract",
    "core/dialects/gemini/fold": "core/dialects/test_contract",
    "core/dialects/gemini/saying": "core/dialects/test_contract",
    "core/dialects/cohere/cut": "core/dialects/test_contract",
    "core/dialects/cohere/dialect": "core/dialects/test_cohere",
    "core/dialects/cohere/fold": "core/dialects/test_contract",
    "core/dialects/cohere/saying": "core/dialects/test_cohere",
    "core/dialects/ollama/cut": "core/dialects/test_contract",
    "core/dialects/ollama/dialect": "core/dialects/test_ollama",
    "core/dialects/ollama/fold": "core/dialects/test_contract",
    "core/dialects/ollama/saying": "core/dialects/test_ollama",
    "core/dialects/messages/counting": "core/dialects/test_contract",
    "core/dialects/messages/cut": "core/dialects/test_contract",
    "core/dialects/messages/dialect": "core/dialects/test_contract",
    "core/dialects/messages/fold": "core/dialects/test_contract",
    "core/dialects/messages/saying": "core/dialects/test_contract",
    "core/dialects/responses/counting": "core/dialects/test_contract",
    "core/dialects/responses/cut": "core/dialects/test_contract",
    "core/dialects/responses/dialect": "core/dialects/test_contract",
    "core/dialects/responses/fold": "core/dialects/test_contract",
    "core/dialects/responses/saying": "core/dialects/test_contract",
    "core/dialects/plain": "core/dialects/test_table",
    "core/secrets/places": "core/secrets/test_search",
    "core/secrets/published": "core/secrets/test_shapes",
    "core/text/paths": "core/matching/test_rules",
    "core/matching/clean": "core/matching/test_normalize",
    "core/matching/presets": "core/matching/test_renaming",
    "core/matching/volatile": "core/matching/test_renaming",
    "engine/decks/repeat": "server/fast/test_connection",
    "engine/routing/means": "engine/routing/test_trip",
    "engine/incoming": "engine/test_exchange",
    "engine/planning": "engine/test_exchange",
    "engine/firsts": "engine/test_idempotency",
    "engine/flights/log": "engine/flights/test_flight",
    "engine/sides": "engine/flights/test_flight",
    "engine/listing": "engine/test_exchange",
    "cli/fence/launch": "cli/fence/test_fence",
    "cli/fence/notices": "cli/fence/test_fence",
    "cli/variables": "cli/test_run",
    "cli/wrapped": "cli/test_run",
    "engine/outcome": "engine/test_exchange",
    "engine/settings": "engine/test_exchange",
    "engine/stats": "engine/test_exchange",
    "engine/refusing": "engine/test_exchange",
    "engine/storing": "server/test_stored",
    "errors": "server/test_server",
    "imports/export_har": "imports/test_har",
    "routes": "test_ways",
    "parts": "engine/test_exchange",
    "pytest_plugin/background": "pytest_plugin/test_pytest_plugin",
    "pytest_plugin/options": "pytest_plugin/test_pytest_plugin",
    "pytest_plugin/play": "pytest_plugin/test_verdicts",
    "server/answers/pace": "server/fast/test_paced",
    "server/answers/rendering": "server/answers/test_passing",
    "server/errors": "server/test_server",
    "server/fast/framing": "server/fast/test_connection",
    "server/fast/hitlog": "server/fast/test_connection",
    "server/fast/outlet": "server/fast/test_direct",
    "server/json": "server/test_server",
    "server/fast/ready": "server/fast/test_connection",
    "core/targets": "server/test_paths",
    "server/noted": "server/test_server",
    "sessions": "server/test_sessions",
    "stores/cassettes/progress": "stores/cassettes/test_verify",
    "stores/cassettes/revise": "stores/cassettes/test_fix",
    "stores/memory": "stores/test_stores",
    "stores/sqlite/dictionaries": "stores/sqlite/test_packing",
    "upstream/connection": "upstream/test_upstream_wire",
    "upstream/lean": "upstream/test_upstream_wire",
    "upstream/session": "upstream/test_upstream",
}


def planned() -> Iterator[str]:
    """The modules and folders that the package's docstring names, as paths below it."""
    folders: list[tuple[int, str]] = []
    for line in (promptdeck.__doc__ or "").partition("A request's way")[0].splitlines():
        entry = re.match(r"( {4,})([a-z_]+/?(?:, [a-z_]+)*)(?:  |$| *$|/? +)", line)
        if entry is None:
            continue
        depth, names = len(entry[1]), entry[2].split(", ")
        folders = [(deep, name) for deep, name in folders if deep < depth]
        above = "".join(name for _, name in folders)
        for name in names:
            yield above + name
            if name.endswith("/"):
                folders.append((depth, name))


def test_the_plan_is_the_tree() -> None:
    plan = set(planned())
    told_apart = {name for name in plan if any(other.startswith(name) for other in plan - {name})}
    whole = tuple(name for name in plan - told_apart if name.endswith("/"))
    assert {name for name in MODULES if not name.startswith(whole)} == {
        name for name in plan if not name.endswith("/")
    }
    assert all((PACKAGE / name).is_dir() for name in plan if name.endswith("/"))


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_test_file(module: str) -> None:
    folder, _, name = module.rpartition("/")
    here = f"{folder}/test_{name}".lstrip("/")
    own = ROOT / "tests" / f"{here}.py"
    if module in TESTED_WITH:
        assert not own.exists(), f"{module} has a test file of its own now"
    assert (ROOT / "tests" / f"{TESTED_WITH.get(module, here)}.py").exists(), module


def test_only_modules_that_are_there_are_tested_elsewhere() -> None:
    assert TESTED_WITH.keys() <= set(MODULES)


def named_in(path: Path) -> Iterator[str]:
    """The classes, aliases of types and type variables of a module, private ones too."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and re.fullmatch(
            r"_?[A-Z][A-Za-z]*[a-z][A-Za-z]*", target.id
        ):
            yield target.id


def test_each_name_stands_for_one_thing() -> None:
    where: defaultdict[str, list[str]] = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        for name in named_in(path):
            where[name.lstrip("_")].append(path.relative_to(PACKAGE).as_posix())
    assert {name: places for name, places in where.items() if len(places) > 1} == {}


def glossary() -> Iterator[tuple[str, str]]:
    """The words that the package's docstring explains, each with the place of what it names."""
    for line in (promptdeck.__doc__ or "").splitlines():
        if entry := re.match(r"    ([a-z]+) +[^/]+: ([a-z_.]+(?:\.[A-Z]\w+)?(?:\.\w+)?)$", line):
            yield entry[1], entry[2]


@pytest.mark.parametrize(("word", "place"), [*glossary()], ids=lambda value: value)
def test_each_word_names_what_the_glossary_says(word: str, place: str) -> None:
    module, name = re.fullmatch(r"([a-z_.]+)\.([A-Z][\w.]*|[a-z]+)", place).groups()  # type: ignore[union-attr]
    found = import_module(f"promptdeck.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    assert word in name.lower().split(".")


def test_the_glossary_is_read() -> None:
    assert {"deck", "flight", "counts", "session", "canonical"} <= {word for word, _ in glossary()}


def test_no_module_has_a_name_that_says_nothing() -> None:
    said = {part for name in MODULES for part in name.split("/")}
    assert not said & {"models", "types", "utils", "helpers", "common", "misc"}


@pytest.mark.parametrize("name", ["CHANGELOG.md", "README.md"])
def test_no_document_has_what_a_merge_left_behind(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    assert not [line for line in lines if re.match(r"(<{7}|>{7}|\|{7}) |={7}$", line)]
    told = [line for line in lines if line.startswith("- ")]
    assert not [line[:60] for line in told if told.count(line) > 1]


def test_what_is_new_is_told_in_groups() -> None:
    new = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1]
    assert re.findall(r"^### (\w+)$", new, re.MULTILINE) == ["Added", "Changed", "Fixed"]
    # A blank line stands about each heading, and between no two lines of a group.
    assert re.fullmatch(r"Unreleased\n(?:\n### \w+\n\n(?:- .+\n)+)+", new), "one style of blanks"
