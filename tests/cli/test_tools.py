"""`promptdeck mcp`: servers of the configuration, and one that stands in for a command."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptdeck.cli import cli
from promptdeck.engine.agent.sides import MCPRefusal
from promptdeck.mcp.client import Local, ToolServer
from tests import ROOT
from tests.scripted_mcp import MODERN, OLD, TOOLS

SCRIPT = str(ROOT / "tests/scripted_mcp.py")


@pytest.mark.parametrize("era", [MODERN, OLD])
async def test_a_stand_in_records_a_process_and_replays_it_unstarted(
    tmp_path: Path, era: str
) -> None:
    async def used(mode: str, *command: str) -> object:
        argv = [sys.executable, "-m", "promptdeck", "mcp", "run", "--mode", mode]
        argv += ["--cassette", "sums", "--name", "sums", "--", *command]
        server = ToolServer("sums", Local(argv, {"PROMPTDECK_STORE_PATH": "s.db"}, str(tmp_path)))
        try:
            tools = await server.tools(20)
            result = await server.call("add", {"a": 1, "b": 2}, 5)
            with pytest.raises(MCPRefusal, match="Unknown tool: nobody"):
                await server.call("nobody", {}, 5)
            return tools, result["structuredContent"]
        finally:
            await server.close()

    assert await used("record", sys.executable, SCRIPT, era) == (TOOLS, {"result": 3})
    assert await used("replay", "not-even-there") == (TOOLS, {"result": 3})


def test_servers_are_listed_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("promptdeck.yaml").write_text(
        f"agent:\n  servers:\n    sums: {{command: [{sys.executable}, {SCRIPT}, {MODERN}],"
        " env: {TOKEN: hush}}\n    gone: {url: 'http://127.0.0.1:9/mcp'}\n"
    )
    listed = CliRunner().invoke(cli, ["mcp", "list"])
    assert "gone\thttp://127.0.0.1:9/mcp\t/mcp/gone" in listed.output.splitlines()
    assert "hush" not in listed.output
    checked = CliRunner().invoke(cli, ["mcp", "check"])
    assert checked.exit_code == 1
    assert "add, place, fail, slow, ask" in checked.output
    assert "cannot connect to http://127.0.0.1:9/mcp" in checked.output
    assert CliRunner().invoke(cli, ["mcp", "check", "sums"]).exit_code == 0
    unknown = CliRunner().invoke(cli, ["mcp", "check", "nobody"])
    assert "there are: sums, gone" in str(unknown.exception)
