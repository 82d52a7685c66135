"""`python -m tests.benchmarks [name …]`: run the measurements, print a table, keep it in build/bench.json."""

import sys

from tests.report import ROOT, main

sys.exit(main("tests.benchmarks", ROOT / "build" / "bench.json", sys.argv[1:]))
