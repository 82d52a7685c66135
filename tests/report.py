"""What `make bench` and `make faults` share: run each measurement of a folder, print a table, keep the numbers.

A measurement is a module `measure_*.py` with `measure() -> dict[str, float]`, and, if it likes, `LIMITS`, the largest
value that is good enough for a name, and `FLOORS`, the least. Each runs in a process of its own, so that none warms up
or slows down another.
"""

import importlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main(package: str, output: Path, names: list[str]) -> int:
    """Run the package's measurements (or those named), print and keep them; return 1 if one failed or is too large."""
    folder = ROOT / package.replace(".", "/")
    modules = sorted(path.stem for path in folder.glob("measure_*.py"))
    chosen = [name for name in modules if not names or name.removeprefix("measure_") in names]
    kept: dict[str, float] = json.loads(output.read_text()) if names and output.exists() else {}
    good = bool(chosen)
    for name in chosen:
        numbers, limits, floors = _measured(f"{package}.{name}")
        if numbers is None:
            good = False
            print(f"{name:<44} FAILED")
            continue
        for key, value in numbers.items():
            kept[key] = value
            good = _print(key, value, limits.get(key), floors.get(key)) and good
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    print(f"\nKept in {output.relative_to(ROOT)}")
    return 0 if good else 1


def _measured(module: str) -> tuple[dict[str, float] | None, dict[str, float], dict[str, float]]:
    limits, floors = (getattr(importlib.import_module(module), name, {}) for name in ("LIMITS", "FLOORS"))
    code = f"import json; from {module} import measure; print('\\n' + json.dumps(measure()))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return (json.loads(ran.stdout.splitlines()[-1]) if ran.returncode == 0 else None), limits, floors


def _print(key: str, value: float, limit: float | None, floor: float | None) -> bool:
    fits = (limit is None or value <= limit) and (floor is None or value >= floor)
    asked = [] if limit is None else [f"at most {limit:g}"]
    asked += [] if floor is None else [f"at least {floor:g}"]
    print(f"{key:<44} {value:>12,.3f}   {', '.join(asked):<16} {'' if fits else 'NOT GOOD ENOUGH'}", flush=True)
    return fits
