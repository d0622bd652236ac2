"""One httpx client that replays chats: from a cassette of vcrpy's, or from a server.

    vcr_client.py COUNT [URL]

Runs where vcrpy is installed. To a first line it says the milliseconds that
opening took; for each number N thereafter it asks N chats, evenly spread over
those that have not been asked, and says the microseconds that one took.
"""

import sys
import time
from contextlib import nullcontext
from pathlib import Path

import bodies
import httpx
import vcr
from vcr.serialize import serialize
from vcr.serializers import yamlserializer

ELSEWHERE = f"http://127.0.0.1:1{bodies.PATH}"
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer sk-not-a-key"}


def main(count: int, url: str = "") -> None:
    cassette = Path(f"vcr-{count}.yaml")
    if not url:
        cassette.write_text(written(count))
    sys.stdin.readline()
    began = time.perf_counter()
    match_on = ["method", "uri", "body"]
    using = (
        nullcontext()
        if url
        else vcr.use_cassette(str(cassette), record_mode="none", match_on=match_on)
    )
    with using, httpx.Client(trust_env=False) as client:
        print((time.perf_counter() - began) * 1000, flush=True)
        # Away from the numbers that the rounds will ask.
        ask(client, url or ELSEWHERE, count - 1)
        for turn, line in enumerate(sys.stdin):
            wanted = int(line)
            spread = ((2 * n + 1) * count // (2 * wanted) for n in range(wanted))
            numbers = [(number + turn) % count for number in spread]
            began = time.perf_counter()
            for number in numbers:
                ask(client, url or ELSEWHERE, number)
            print((time.perf_counter() - began) / wanted * 1e6, flush=True)


def ask(client: httpx.Client, url: str, number: int) -> None:
    answer = client.post(url, content=bodies.chat(number), headers=HEADERS)
    if answer.status_code != 200 or bodies.said_in(answer.content) != bodies.SAID:
        raise SystemExit(f"not the answer that was recorded: {answer.text[:300]}")


def written(count: int) -> str:
    """A cassette as vcrpy would have recorded it."""
    headers = {"Content-Type": ["application/json"]}
    status = {"code": 200, "message": "OK"}
    answer = {"status": status, "headers": headers, "body": {"string": bodies.completion()}}
    requests = [
        vcr.request.Request("POST", ELSEWHERE, bodies.chat(number), HEADERS)
        for number in range(count)
    ]
    recorded = {"requests": requests, "responses": [answer] * count}
    return str(serialize(recorded, yamlserializer))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
