"""What else answers model calls again, or could: how each is started, and what its settings are.

Each runs as one process on the servers' core, with the settings that are
fastest for it: no log of requests, streams at full speed.
"""

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions

import bodies
import load
import orjson
from installs import HOME, is_ready, why_missing
from process import Server, Workshop, free_port

_KEY = "sk-not-a-key"
_DIALECT = "/openai" + bodies.PATH


class WrongAnswer(ValueError):
    """A peer that does not give back what was recorded with it."""


def learn(server: Server, asked: Sequence[bytes]) -> None:
    """Have a peer record each request, which its upstream still answers."""
    for body in asked:
        status, answer = load.ask(server.port, body, server.path)
        if status != 200:
            raise WrongAnswer(f"status {status}: {answer[:300]!r}")


def _stub(server: Server, asked: Sequence[bytes]) -> None:
    """WireMock's recorder knows no streams: stubs of the kind that it writes for JSON."""
    for body in asked:
        kind = "text/event-stream" if bodies.streams(body) else "application/json"
        request = {"method": "POST", "urlPath": bodies.PATH}
        response = {"status": 200, "headers": {"Content-Type": kind}}
        value = {
            "request": {**request, "bodyPatterns": [{"equalToJson": body.decode()}]},
            "persistent": True,
            "response": {**response, "body": bodies.answer_to(body).decode()},
        }
        load.ask(server.port, orjson.dumps(value), "/__admin/mappings")


@dataclass(frozen=True)
class Peer:
    """Another program that answers model calls again: how it is started, taught and checked."""

    name: str
    version: Callable[[], str]
    does: str
    """For each hit, beside answering."""
    start: Callable[[Workshop, int], AbstractContextManager[Server]]
    """Given the port of an upstream to record from."""
    learn: Callable[[Server, Sequence[bytes]], None]
    slow: bool = False
    """Whether rounds must be longer to hold enough answers."""

    def check(self, server: Server, asked: Sequence[bytes]) -> None:
        """WrongAnswer unless it gives back what it has recorded."""
        _check(server, asked)

    def in_words(self) -> str:
        """Its name and version, and what it does for a hit."""
        return f"{self.name} {self.version()}: for each hit it {self.does}"


def _check(server: Server, asked: Sequence[bytes]) -> None:
    """That each request is answered with the right text; upstream is gone by now."""
    for body in asked:
        status, answer = load.ask(server.port, body, server.path)
        if status != 200 or bodies.said_in(answer) != bodies.said_in(bodies.answer_to(body)):
            raise WrongAnswer(f"status {status}, not the recorded text: {answer[:300]!r}")


@contextmanager
def _nginx(workshop: Workshop, upstream: int) -> Iterator[Server]:
    """Both of its places: `/v1` is a cache, `/pass/v1` passes on unbuffered."""
    port, folder = free_port(), workshop.folder / "nginx"
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    (folder / "nginx.conf").write_text(
        _NGINX.replace("FOLDER", str(folder))
        .replace("UPSTREAM", str(upstream))
        .replace("PORT", str(port))
    )
    argv = [str(HOME / "nginx" / "bin" / "nginx"), "-p", str(folder), "-e", "stderr"]
    with workshop.start([*argv, "-c", str(folder / "nginx.conf")], port=port) as server:
        yield server


_NGINX = """
daemon off; master_process off; pid FOLDER/pid; error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600;
  client_body_buffer_size 256k; client_max_body_size 50m; client_body_temp_path FOLDER/tmp/body;
  proxy_temp_path FOLDER/tmp/proxy; fastcgi_temp_path FOLDER/tmp/f; uwsgi_temp_path FOLDER/tmp/u;
  scgi_temp_path FOLDER/tmp/s;
  proxy_cache_path FOLDER/cache keys_zone=answers:32m max_size=4g inactive=10h use_temp_path=off;
  upstream provider { server 127.0.0.1:UPSTREAM; keepalive 1024; }
  proxy_buffer_size 128k; proxy_buffers 8 128k; proxy_busy_buffers_size 256k;
  proxy_http_version 1.1; proxy_set_header Connection "";
  server {
    listen 127.0.0.1:PORT backlog=4096 reuseport;
    location /v1/ {
      proxy_pass http://provider;
      proxy_cache answers; proxy_cache_methods POST; proxy_cache_valid 200 10h;
      proxy_cache_key "$request_uri|$request_body"; proxy_cache_lock on;
    }
    location /pass/ { proxy_pass http://provider/; proxy_buffering off; }
  }
}
"""


@contextmanager
def _aimock(workshop: Workshop, upstream: int) -> Iterator[Server]:
    port, folder = free_port(), workshop.folder / "aimock"
    folder.mkdir(exist_ok=True)
    program = HOME / "aimock" / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    argv = ["node", str(program), "-p", str(port), "-f", str(folder), "--log-level", "silent"]
    argv += ["--record", "--provider-openai", f"http://127.0.0.1:{upstream}"]
    with workshop.start([*argv, "--replay-speed", "1000000"], port=port) as server:
        yield server


@contextmanager
def _wiremock(workshop: Workshop, upstream: int) -> Iterator[Server]:
    """It has no streams of its own; theirs are stubbed as fixed bytes."""
    del upstream
    port, folder = free_port(), workshop.folder / "wiremock"
    (folder / "mappings").mkdir(parents=True, exist_ok=True)
    [jar] = (HOME / "wiremock").glob("node_modules/wiremock/build/*.jar")
    argv = ["java", "-jar", str(jar), "--port", str(port), "--root-dir", str(folder)]
    argv += ["--no-request-journal", "--disable-banner", "--bind-address", "127.0.0.1"]
    with workshop.start(argv, port=port) as server:
        yield server


@contextmanager
def _reel(workshop: Workshop, upstream: int) -> Iterator[Server]:
    port, folder = free_port(), workshop.folder
    argv = [str(HOME / "reel" / "bin" / "reel"), "auto", "-c", str(folder / "reel.jsonl")]
    argv += ["--upstream", f"http://127.0.0.1:{upstream}", "-p", str(port), "--timing", "fast"]
    with workshop.start(argv, port=port) as server:
        yield server


@contextmanager
def _llm_cache_proxy(workshop: Workshop, upstream: int) -> Iterator[Server]:
    port = free_port()
    env = {
        "OPENAI_UPSTREAM": f"http://127.0.0.1:{upstream}",
        "LLM_CACHE_DIR": str(workshop.folder / "llm-cache-proxy"),
        "LLM_CACHE_PORT": str(port),
    }
    argv = [str(HOME / "llm-cache-proxy" / "bin" / "llm-cache-proxy")]
    with workshop.start(argv, port=port, env=env, path=_DIALECT) as server:
        yield server


@contextmanager
def _litellm(workshop: Workshop, upstream: int) -> Iterator[Server]:
    port, file = free_port(), workshop.folder / "litellm.yaml"
    file.write_text(_LITELLM.replace("UPSTREAM", str(upstream)))
    env = {
        "LITELLM_MASTER_KEY": _KEY,
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "DO_NOT_TRACK": "1",
    }
    argv = [str(HOME / "litellm" / "bin" / "litellm"), "--config", str(file)]
    argv += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    with workshop.start(argv, port=port, env=env) as server:
        yield server


_LITELLM = """
model_list:
  - model_name: gpt-5-mini
    litellm_params:
      model: openai/gpt-5-mini
      api_base: http://127.0.0.1:UPSTREAM/v1
      api_key: sk-not-a-key
litellm_settings:
  cache: true
  cache_params: {type: local, max_messages: null, ttl: 36000}
  enable_caching_on_provider_specific_optional_params: true
  telemetry: false
  drop_params: true
"""


def _of_pypi(folder: str, package: str) -> Callable[[], str]:
    def version() -> str:
        paths = [str(path) for path in (HOME / folder).glob("lib/python*/site-packages")]
        return next(one.version for one in distributions(name=package, path=paths))

    return version


def _of_npm(folder: str, package: str) -> Callable[[], str]:
    def version() -> str:
        file = HOME / folder / "node_modules" / package / "package.json"
        return str(orjson.loads(file.read_bytes())["version"])

    return version


def _of_nginx() -> str:
    argv = [str(HOME / "nginx" / "bin" / "nginx"), "-v"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stderr
    return re.findall(r"nginx/([\d.]+)", said)[0]


PEERS = (
    Peer(
        "nginx",
        _of_nginx,
        "reads a file from the page cache; the body's bytes are the key",
        _nginx,
        learn,
    ),
    Peer(
        "aimock",
        _of_npm("aimock", "@copilotkit/aimock"),
        "keeps a journal of requests; streams are cut anew, 20 characters a frame",
        _aimock,
        learn,
    ),
    Peer(
        "wiremock",
        _of_npm("wiremock", "wiremock"),
        "compares JSON with one stub after the other; streams are stubs, too",
        _wiremock,
        _stub,
        slow=True,
    ),
    Peer("reel", _of_pypi("reel", "reel-vcr"), "prints a line", _reel, learn),
    Peer(
        "llm-cache-proxy",
        _of_pypi("llm-cache-proxy", "llm-cache-proxy"),
        "commits its statistics",
        _llm_cache_proxy,
        learn,
        slow=True,
    ),
    Peer(
        "litellm",
        _of_pypi("litellm", "litellm"),
        "checks the key, computes and logs the spend, runs its callbacks",
        _litellm,
        learn,
        slow=True,
    ),
)


def available() -> tuple[list[Peer], dict[str, str]]:
    """Those that are installed, and why the others are not."""
    why = why_missing()
    there = [peer for peer in PEERS if is_ready(peer.name)]
    missing = [peer.name for peer in PEERS if peer not in there]
    return there, {name: why.get(name, "not installed: make bench-peers") for name in missing}
