"""Procrastinate's no-op jobs, as a reference for what a queue on PostgreSQL does.

`python -m tests.benchmarks.procrastinate_reference CONNINFO CONCURRENCY`: says "ready", waits for a line, works until
no job is left.
"""

import asyncio
import sys

import procrastinate


def application(conninfo: str) -> procrastinate.App:
    """Return an application with one task that does nothing."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo))
    app.task(name="nothing")(_nothing)
    return app


async def _nothing(number: int) -> None:
    del number


async def prepare(conninfo: str) -> None:
    """Make its tables."""
    app = application(conninfo)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def defer(conninfo: str, count: int) -> None:
    """Let `count` jobs wait."""
    app = application(conninfo)
    async with app.open_async():
        await app.configure_task("nothing").batch_defer_async(*({"number": number} for number in range(count)))


async def work(conninfo: str, concurrency: int) -> None:
    """Do all that waits."""
    app = application(conninfo)
    async with app.open_async():
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await app.run_worker_async(
            wait=False, concurrency=concurrency, listen_notify=False, install_signal_handlers=False, delete_jobs="never"
        )
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
