"""`pip install` gives a working `tracker` outside the checkout."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from http.client import HTTPConnection
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIMIT = 30.0  # seconds for the web to answer


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel as `pip install .` does."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-w", str(folder)], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> dict[str, str]:
    """Install it away from the checkout; return the environment that finds it there."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
    return kept | {
        "PYTHONPATH": str(site),
        "TRACKER_FOLDER": str(site / "var"),
        "TRACKER_SECRET_KEY": "kP3xZ9vR7tQ1mW5nB8cL2dF6gH4jS0aY-uE_",
    }


def run(installed: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, *arguments]
    where = installed["PYTHONPATH"]
    return subprocess.run(command, cwd=where, env=installed, check=True, capture_output=True, text=True).stdout


def test_the_wheel_carries_what_stands_beside_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    assert "tracker/_templates/base.html" in names
    assert any(name.startswith("tracker/_migrations/versions/0001") for name in names)
    assert {"tracker/static/vendor/htmx.min.js", "tracker/static/vendor/icons.svg"} <= names
    assert len([name for name in names if name.startswith("tracker/static/vendor/licences/")]) == 4
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_it_is_the_installed_one_that_runs(installed):
    told = json.loads(
        run(
            installed,
            "-c",
            "import json, tracker; from tracker.paths import shipped; "
            "print(json.dumps([tracker.__file__, str(shipped('templates')), str(shipped('migrations'))]))",
        )
    )

    assert all(path.startswith(installed["PYTHONPATH"]) for path in told)


def test_it_migrates_and_serves_pages_and_files(installed):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert "The database is at" in run(installed, "-m", "tracker.cli", "migrate")

    web = subprocess.Popen(
        [sys.executable, "-m", "tracker.cli", "web", "--port", str(port)], cwd=installed["PYTHONPATH"], env=installed
    )
    try:
        assert answer(web, port, "/static/vendor/htmx.min.js") == 200
        assert answer(web, port, "/sign-in") == 200
    finally:
        web.send_signal(signal.SIGTERM)
        assert web.wait(LIMIT) == 0


def answer(web: subprocess.Popen, port: int, path: str) -> int:
    """Return the status of a GET, waiting for the server to come up."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline and web.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError("the installed web did not answer")
