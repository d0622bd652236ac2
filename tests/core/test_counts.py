"""What counts beside the body: equal values, and only those, begin digests alike."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.counts import Counts

# A head may hold any byte: those that are not UTF-8 are read as surrogates, and no others come.
ANY = st.text(max_size=5) | st.binary(max_size=5).map(
    lambda data: data.decode("utf-8", "surrogateescape")
)
UPSTREAMS = st.none() | st.sampled_from(["", "https://h/v1"])
COUNTS = st.builds(Counts, st.sampled_from(["GET", "POST"]), ANY, ANY, st.just(()), UPSTREAMS)


@given(COUNTS, COUNTS)
def test_what_differs_has_another_seed(one: Counts, other: Counts) -> None:
    # A header's value holds no line end, which is what stands between the parts.
    if not any("\n" in part for counts in (one, other) for part in counts[:3]):
        assert (one == other) == (one.seed == other.seed)


TOLD = """
from promptdeck.core.counts import Counts
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.matching.body import Body
from promptdeck.core.matching.repeated import name_of
long = b'{"messages":[%b]}' % b",".join(b'{"content":"%d"}' % n for n in range(1000))
print(Counts("GET", "/", "").seed)
for data in (b'{"a":1,"user":"x"}', long):
    for name in Body(data, CHAT).names():
        print(name)
print(name_of({}))
"""


def test_no_two_processes_have_a_digest_in_common() -> None:
    # What is found by a digest is not compared: nobody may be able to prepare two of one.
    one, other = (
        subprocess.run(
            [sys.executable, "-c", TOLD], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for _ in range(2)
    )
    assert len(one) == len(other) == 5
    assert not set(one) & set(other)
