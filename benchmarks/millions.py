"""A store of a million interactions, against one of ten thousand."""

from collections.abc import Iterator

from measure import Case, Figure, Target, alternate
from process import worker
from workbench import Bench

_FIGURES = (
    Figure("open us", against="x", spread=True),
    Figure("lookup us", 1, against="x", spread=True),
)


def cases(bench: Bench) -> Iterator[Case]:
    """Opening and look-ups in a small store and a large one."""
    folder = bench.workshop.folder
    names = {count: f"{count:,} interactions" for count in bench.size.entries}
    small, large = names.values()
    with worker("store_worker.py", folder=folder) as ask:
        sizes = {count: ask("build", count, f"store-{count}.db") for count in names}
        rows = alternate(
            2 * bench.size.rounds,
            {
                name: lambda count=count: tuple(ask("open", count, f"store-{count}.db"))
                for count, name in names.items()
            },
        )
    targets = (
        Target(12, "lookup", "lookup us", large, small, most=1.7),
        Target(12, "open and first lookup", "open us", large, small, most=1.1),
    )
    held = ", ".join(f"{size / 1e6:,.0f} MB" for size in sizes.values())
    notes = (f"short recordings, files of {held}; each lookup is of a key not asked before",)
    yield Case("stores that grow", _FIGURES, rows, targets, notes)
