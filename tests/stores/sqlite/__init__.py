"""What the tests of the SQLite store have in common."""

from contextlib import closing

from promptdeck.stores.sqlite.admin import statistics
from promptdeck.stores.sqlite.migrations import connect
from tests.recordings import conversation, stored


async def put(tape, recording, **more):
    return await tape.put(*stored(recording, **more), replace=False)


def found(tape, recording):
    return [row.interaction for row in tape.find(stored(recording)[0])]


def count(path, *tables):
    with closing(connect(path)) as db:
        return sum(
            db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in tables or ("recording", "packed")
        )


async def traced(database):
    """The statements that the writer runs from now on."""
    statements = []
    await on_writer(database, lambda db: db.set_trace_callback(statements.append))
    return statements


async def on_writer(database, work):
    return await database._writer.run(work)


async def fill(tape, prompts):
    return [await put(tape, conversation(n)) for n in prompts]


def size(path):
    return statistics(path)["bytes"]
