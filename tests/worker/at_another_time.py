"""`tracker worker` whose clock runs ahead, or behind: `python -m tests.worker.at_another_time SECONDS`."""

import os
import sys

from tracker import db
from tracker.config import load
from tracker.worker import run

if __name__ == "__main__":
    config = load()
    db.configure(config.database)
    # Only the demonstration may be set so, and from there nothing leaves: the worker isn't told that it is one. What
    # it starts for long work is, and sends nothing anyway.
    os.environ |= {"TRACKER_DEMO": "yes", "TRACKER_CLOCK_OFFSET": sys.argv[1]}
    run(config.model_copy(update={"clock_offset": int(sys.argv[1])}))
