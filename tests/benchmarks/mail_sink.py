"""A mail server in a process of its own that keeps only when each message came.

`python -m tests.benchmarks.mail_sink`: says its port; for each line that it is given it says the times, as JSON.
"""

import json
import sys

from tests.mail_server import Kept, mail_server
from tracker import clock


class Times(Kept):
    """Keeps times, not messages."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[float] = []

    async def handle_DATA(self, _server, _session, _envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Note the time and answer."""
        self.came.append(clock.now().timestamp())
        return "250 OK"


def main() -> None:
    """Serve until the other end is closed."""
    with mail_server(Times()) as (kept, port):
        print(port, flush=True)
        for _line in sys.stdin:
            print(json.dumps(kept.came), flush=True)


if __name__ == "__main__":
    main()
