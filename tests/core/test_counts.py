"""What counts beside the body: equal values, and only those, begin digests alike."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.counts import Counts

# A head may hold any byte: those that are not UTF-8 are read as surrogates, and no others come.
ANY = st.text(max_size=5) | st.binary(max_size=5).map(
    lambda data: data.decode("utf-8", "surrogateescape")
)
COUNTS = st.builds(Counts, st.sampled_from(["GET", "POST"]), ANY, ANY)


@given(COUNTS, COUNTS)
def test_what_differs_has_another_seed(one: Counts, other: Counts) -> None:
    # A header's value holds no line end, which is what stands between the parts.
    if not any("\n" in part for part in (*one, *other)):
        assert (one == other) == (one.seed == other.seed)
