"""`python -m tests.faults [name …]`: run the measurements, print a table, keep it in build/faults.json."""

import sys

from tests.report import ROOT, main

sys.exit(main("tests.faults", ROOT / "build" / "faults.json", sys.argv[1:]))
