"""The house in order: every module is in the plan and has a test file of its own."""

import re
from pathlib import Path

import pytest

import proxy

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    path.relative_to(ROOT / "proxy")
    for path in (ROOT / "proxy").rglob("*.py")
    if path.parent.name in ("proxy", "core", "stores", "engine") and not path.stem.startswith("__")
)
# Tested where they are used: the protocol by its stores, the rest by a neighbour's tests.
TESTED_WITH = {
    "base": "test_stores",
    "memory": "test_stores",
    "app": "test_exchange",
    "library": "test_exchange",
    "completions": "test_stored",
    "admin": "test_sqlite",
    "tapes": "test_sqlite",
    "writer": "test_sqlite",
    "dictionaries": "test_packing",
    "slips": "test_deferred",
    "listing": "test_exchange",
    "landing": "test_exchange",
    "outcome": "test_exchange",
    "repeat": "test_fastpath",
    "rawjson": "test_normalize",
    "sharing": "test_exchange",
    "silence": "test_flight",
    "interaction": "test_recorder",
    "errors": "test_server",
    "schema_compound": "test_core_schema",
    "violations": "test_core_schema",
    "contract_messages": "test_contract",
    "contract_tools": "test_contract",
    "contract_answers": "test_contract",
    "cassette_diff": "test_cli_hygiene",
    "cassette_echo": "test_cassette_edit",
    "cassette_revise": "test_cli_hygiene",
    "openapi_examples": "test_openapi",
    "openapi_page": "test_openapi",
}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_module_is_in_the_plan(path: Path) -> None:
    assert re.search(rf"^ +.*\b{path.stem}\b", proxy.__doc__ or "", re.MULTILINE), path


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_module_has_a_test_file(path: Path) -> None:
    name = TESTED_WITH.get(path.stem, f"test_{path.stem}")
    assert (ROOT / "tests" / f"{name}.py").exists(), name
