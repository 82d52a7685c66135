"""Processes without anything of this one; what they all need is imported once."""

from multiprocessing import get_context

FRESH = get_context("forkserver")
FRESH.set_forkserver_preload(["tests.races.booking_race", "tests.faults.killed_worker"])
