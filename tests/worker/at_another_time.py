"""`tracker worker` whose clock runs ahead, or behind: `python -m tests.worker.at_another_time SECONDS [CHORES]`.

CHORES is how many seconds lie between two looks whether something is to be done once a period.
"""

import os
import sys

from tracker import db, worker
from tracker.config import load

if __name__ == "__main__":
    config = load()
    worker.CHORES = int([*sys.argv, worker.CHORES][2])
    db.configure(config.database)
    # Only the demonstration may be set so, and from there nothing leaves: the worker isn't told that it is one. What
    # it starts for long work is, and sends nothing anyway.
    os.environ |= {"TRACKER_DEMO": "yes", "TRACKER_CLOCK_OFFSET": sys.argv[1]}
    worker.run(config.model_copy(update={"clock_offset": int(sys.argv[1])}))
