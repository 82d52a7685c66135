"""Every `--help` is one screen, has an example, and comes at once."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from tracker.cli import main

SCREEN = 34  # lines
AT_ONCE = 0.3  # seconds


def paths(command: click.Command, *before: str) -> Iterator[tuple[str, ...]]:
    yield before
    if isinstance(command, click.Group):
        for name in command.commands:
            yield from paths(command.commands[name], *before, name)


ALL = list(paths(main))


def test_the_commands_are_the_ones_that_are_promised():
    named = {path[0] for path in ALL if path}

    assert named == {"migrate", "init", "demo", "serve", "web", "worker", "user", "import", "audit", "check"}
    assert len(ALL) >= 18


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_is_one_screen_with_an_example(path):
    said = CliRunner().invoke(main, [*path, "--help"], prog_name="tracker")

    assert said.exit_code == 0
    assert "Example" in said.output
    assert len(said.output.splitlines()) <= SCREEN
    assert f"tracker {' '.join(path)}".strip() in said.output.split("Example")[1]


@pytest.mark.parametrize("path", [path for path in ALL if len(path) < 2], ids=" ".join)
def test_help_comes_at_once(path):
    """Processor time, the best of three, so that a busy machine doesn't decide."""

    def spent() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "tracker.cli", *path, "--help"], check=True, capture_output=True, env=os.environ
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(spent() for _ in range(3)) < AT_ONCE
