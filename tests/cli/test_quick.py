"""A quick start changes nothing but its time: TLS is checked, garbage is collected."""

import asyncio
import gc
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from promptdeck.cli.quick import importing
from tests.cli.test_serve import ask
from tests.command import serve
from tests.scripted_upstream import Upstream, chunks, plain


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of 127.0.0.1, in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    argv = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        argv_all = [*argv.split(), *names, "-keyout", str(path), "-out", str(path) + ".crt"]
        subprocess.run(argv_all, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs openssl to make a certificate")
    path.write_text(path.read_text() + Path(str(path) + ".crt").read_text())
    return path


@asynccontextmanager
async def provider_behind_tls(certificate: Path) -> AsyncIterator[Upstream]:
    scripted = Upstream(answers=[plain("safe")])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    runner = web.ServerRunner(web.Server(scripted.handle), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    scripted.url = f"https://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield scripted
    finally:
        await runner.cleanup()


async def test_an_upstream_is_trusted_by_the_certificates_that_the_environment_names(
    certificate: Path, tmp_path: Path
) -> None:
    async with (
        provider_behind_tls(certificate) as provider,
        serve(tmp_path, "--upstream", provider.url, SSL_CERT_FILE=str(certificate)) as server,
    ):
        assert await ask(server.base_url) == b"".join(chunks("safe"))


async def test_an_upstream_without_a_trusted_certificate_is_not_asked(
    certificate: Path, tmp_path: Path
) -> None:
    async with (
        provider_behind_tls(certificate) as provider,
        serve(tmp_path, "--upstream", provider.url) as server,
    ):
        assert b"certificate is not trusted" in await ask(server.base_url)
        assert not provider.seen


@pytest.mark.parametrize("told", [None, "/some/where.pem"])
def test_importing_leaves_environment_and_collector_as_they_were(
    told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if told:
        monkeypatch.setenv("SSL_CERT_FILE", told)
    with pytest.raises(ImportError), importing():
        assert os.environ["SSL_CERT_FILE"] == os.devnull
        assert not gc.isenabled()
        raise ImportError
    assert os.environ.get("SSL_CERT_FILE") == told
    assert gc.isenabled()
    gc.unfreeze()


@pytest.mark.parametrize("asked", ["--version", "--help", "serve --help", "run --help"])
async def test_version_and_help_are_told_without_loading_the_server(
    asked: str, tmp_path: Path
) -> None:
    code = f"import sys; sys.argv = 'promptdeck {asked}'.split()\nfrom promptdeck.cli import main\n"
    code += (
        "try:\n    main()\nfinally:\n    print('aiohttp' in sys.modules, 'asyncio' in sys.modules)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out.decode().splitlines()[-1] == "False False"
