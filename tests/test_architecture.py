"""The house stands as it was drawn: floors, sizes, names, and locks without addresses."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tracker"
FILES = sorted(PACKAGE.rglob("*.py"))
LAZY_FOLDER = "cli"  # there an import may stand inside a function: every --help has to come at once
LAZY_MODULES = {
    "babel",
    "holidays",
    "phonenumbers",
}  # these anywhere: each takes 50 ms, and few pages need it


def functions() -> Iterator[tuple[str, int]]:
    """Yield each function's place and its length in lines, signature and docstring included."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_no_import_goes_up():
    said = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert said.returncode == 0, said.stdout
    assert re.search(r"\b[4-9] kept, 0 broken", said.stdout), "a contract is gone"


def imports() -> dict[str, set[str]]:
    """Return which of our modules each imports."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        asked = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
        both = {one for node in asked for alias in node.names for one in (node.module, f"{node.module}.{alias.name}")}
        found[name] = (both & names.keys()) - {name}
    return found


def test_no_two_modules_need_each_other():
    """Else it depends on who is imported first whether a process starts at all."""
    left = imports()
    packages = {name for name in left if any(other.startswith(f"{name}.") for other in left)}
    while free := {name for name, needs in left.items() if not (needs - packages) & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in free}

    assert sorted(left) == []


def test_every_file_has_one_story():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}

    assert len(lengths) > 40
    assert {name: length for name, length in lengths.items() if length >= 400} == {}


def test_functions_are_short():
    lengths = dict(functions())

    assert len(lengths) > 300
    assert statistics.median(lengths.values()) <= 10
    assert {name: length for name, length in lengths.items() if length > 50} == {}


def test_nothing_is_called_by_a_name_that_says_nothing():
    assert [path for path in FILES if path.stem in {"utils", "util", "helpers", "common", "misc"}] == []


def test_imports_stand_at_the_top():
    inside = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        if path.parent.name != LAZY_FOLDER
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and ast.unparse(node).split()[1].split(".")[0] not in LAZY_MODULES
    ]

    assert inside == []


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.stem)
def test_a_python_lock_has_hashes_and_no_address(lock):
    text = lock.read_text(encoding="utf-8")
    pinned = re.findall(r"^[\w.-]+==\S+.*\\$", text, re.MULTILINE)

    assert pinned
    assert all("--hash=sha256:" in part for part in re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:])
    assert "://" not in text


def test_the_front_end_lock_has_hashes_and_no_address():
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")

    assert text.count('"integrity": "sha512-') >= 5
    assert '"resolved"' not in text


def test_the_table_of_columns_names_every_module():
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", table))
    modules = {
        path.stem for folder in ("rules", "models", "services", "web") for path in (PACKAGE / folder).glob("*.py")
    }

    assert modules - named - {"__init__", "base"} == set()
