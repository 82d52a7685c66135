"""A day falls out: which visits lost their place, the search for others, the proposal, and making it so."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.db import read, transaction
from tracker.models import Job
from tracker.rules.fields import Command
from tracker.rules.permissions import Permission
from tracker.services import affected, audit, clinic, damage, jobs, repair
from tracker.services.repair import ApplyRepair, KeepTicked, Proposal
from tracker.text import ngettext
from tracker.web.access import access
from tracker.web.forms import Form, attempt, blank, page, parse, see_other

bp = Blueprint("repair", __name__)
STEPS = 3  # what the search goes through


class FindPlaces(Command):
    """Places for every lost visit."""


@bp.get("/repairs/new")
@access(Permission.MOVE_VISIT)
def new() -> ResponseReturnValue:
    """Show the visits that lost their place."""
    return _new_page(blank())


def _new_page(form: Form[Any], status: int = 200) -> Response:
    with transaction() as session:
        audit.record(session, g.actor, "read lost visits", now=g.now)
    with read() as session:
        lost = affected.affected(session, g.actor, g.clinic, now=g.now)
    return page("repair/new.html", status=status, lost=lost, form=form)


@bp.post("/repairs")
@access(Permission.MOVE_VISIT)
def create() -> ResponseReturnValue:
    """Let the worker look for places; rows that were unticked stay as they are."""

    def do(session: Session, _wanted: FindPlaces) -> str:
        return _start(session, [])

    return attempt(parse(FindPlaces, request.form), do, _new_page)


def _start(session: Session, kept: Iterable[UUID]) -> str:
    args = {"kept": sorted(map(str, kept))}
    job = jobs.start(session, g.actor, damage.KIND, args, total=STEPS, now=g.now)
    return url_for("repair.show", job_id=job.id)


@bp.post("/repairs/<uuid:job_id>/again")
@access(Permission.MOVE_VISIT)
def again(job_id: UUID) -> ResponseReturnValue:
    """Let the worker look again; what was unticked stays as it is."""

    def do(session: Session, wanted: KeepTicked) -> str:
        return _start(session, repair.left_out(session, g.actor, job_id, wanted))

    return attempt(parse(KeepTicked, request.form), do, lambda form, status: _page(job_id, form, status))


@bp.get("/repairs/<uuid:job_id>")
@access(Permission.MOVE_VISIT)
def show(job_id: UUID) -> ResponseReturnValue:
    """Show how far the search is, or what it proposes."""
    with transaction() as session:
        clinic.get(session, g.actor, Job, job_id)
        audit.record(session, g.actor, "read repair", subject=f"job {job_id}", now=g.now)
    return _page(job_id, blank())


@bp.get("/repairs/<uuid:job_id>/progress")
@access(Permission.MOVE_VISIT, background=True)
def progress(job_id: UUID) -> ResponseReturnValue:
    """Show the same again, for the page that waits for it: no entry in the audit, no longer session."""
    return _page(job_id, blank())


@bp.post("/repairs/<uuid:job_id>/stop")
@access(Permission.MOVE_VISIT)
def stop(job_id: UUID) -> ResponseReturnValue:
    """Let the search end with what it has found."""
    with transaction() as session:
        jobs.ask_to_stop(session, g.actor, job_id, now=g.now)
    return see_other("repair.show", job_id=job_id)


@bp.post("/repairs/<uuid:job_id>/apply")
@access(Permission.MOVE_VISIT)
def apply(job_id: UUID) -> ResponseReturnValue:
    """Make all changes, or none."""

    def do(session: Session, wanted: ApplyRepair) -> str:
        flash(_done(repair.apply(session, g.actor, job_id, wanted, now=g.now)))
        return url_for("repair.show", job_id=job_id)

    return attempt(parse(ApplyRepair, request.form), do, lambda form, status: _page(job_id, form, status))


def _done(found: Proposal) -> str:
    moved = ngettext("A visit is moved.", "%(n)s visits are moved.", len(found.rows))
    told = ngettext("One patient is told.", "%(n)s patients are told.", found.patients)
    without = len(found.unplaced) + len(found.left)
    left = ngettext("One without a place is under To do.", "%(n)s without a place are under To do.", without)
    return " ".join([moved, told, left] if without else [moved, told])


def _page(job_id: UUID, form: Form[Any], status: int = 200) -> Response:
    with read() as session:
        job = clinic.get(session, g.actor, Job, job_id)
        found = repair.proposal(session, g.actor, job) if job.ended_at else None
    days = found.days(g.clinic.zone) if found else []
    return page("repair/show.html", block="repair", status=status, job=job, found=found, form=form, days=days)
