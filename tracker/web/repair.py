"""A day falls out: which visits lost their place, the search for others, the proposal, and making it so."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, request, url_for
from flask.typing import ResponseReturnValue

from tracker.db import read, transaction
from tracker.errors import Refused, Stale
from tracker.models import Job
from tracker.rules.fields import Command
from tracker.rules.permissions import Permission
from tracker.services import affected, audit, clinic, damage, jobs, repair
from tracker.services.repair import ApplyRepair, Proposal
from tracker.text import ngettext
from tracker.web.access import access
from tracker.web.forms import Form, blank, go_to, once, page, parse, see_other

bp = Blueprint("repair", __name__)
STEPS = 3  # what the search goes through


class FindPlaces(Command):
    """Which visits somebody wants left where they are: unticked rows of an earlier proposal."""

    shown: tuple[UUID, ...] = ()
    ticked: tuple[UUID, ...] = ()
    kept: tuple[UUID, ...] = ()


@bp.get("/repairs/new")
@access(Permission.MOVE_VISIT)
def new() -> ResponseReturnValue:
    """Show the visits that lost their place."""
    return _new_page(blank())


def _new_page(form: Form[Any], *, status: int = 200) -> ResponseReturnValue:
    with transaction() as session:
        audit.record(session, g.actor, "read lost visits", now=g.now)
    with read() as session:
        lost = affected.affected(session, g.actor, g.clinic, now=g.now)
    return page("repair/new.html", status=status, lost=lost, form=form)


@bp.post("/repairs")
@access(Permission.MOVE_VISIT)
def create() -> ResponseReturnValue:
    """Let the worker look for places; rows that were unticked stay as they are."""
    form = parse(FindPlaces, request.form)
    if form.errors:
        return _new_page(form, status=422)
    wanted = form.command
    kept = {*wanted.kept, *(set(wanted.shown) - set(wanted.ticked))}

    def do() -> str:
        args = {"kept": sorted(map(str, kept))}
        job = jobs.start(session, g.actor, damage.KIND, args, total=STEPS, now=g.now)
        return url_for("repair.show", job_id=job.id)

    with transaction() as session:
        address = once(session, form, do)
    return go_to(address)


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
    form = parse(ApplyRepair, request.form)
    if form.errors:
        return _page(job_id, form, status=422)

    def do() -> str:
        found = repair.apply(session, g.actor, job_id, form.command, now=g.now)
        flash(_done(found))
        return url_for("repair.show", job_id=job_id)

    try:
        with transaction() as session:
            address = once(session, form, do)
    except Refused as refusal:  # rolled back already, so safe to render
        return _page(job_id, form.refused(refusal), status=422)
    except Stale as stale:
        return _page(job_id, form.refused(Refused(str(stale))), status=409)
    return go_to(address)


def _done(found: Proposal) -> str:
    moved = ngettext("A visit is moved.", "%(n)s visits are moved.", len(found.rows))
    told = ngettext("One patient is told.", "%(n)s patients are told.", found.patients)
    without = len(found.unplaced) + len(found.left)
    left = ngettext("One without a place is under To do.", "%(n)s without a place are under To do.", without)
    return " ".join([moved, told, left] if without else [moved, told])


def _page(job_id: UUID, form: Form[Any], *, status: int = 200) -> ResponseReturnValue:
    with read() as session:
        job = clinic.get(session, g.actor, Job, job_id)
        found = repair.proposal(session, g.actor, job) if job.ended_at else None
    days = found.days(g.clinic.zone) if found else []
    return page("repair/show.html", block="repair", status=status, job=job, found=found, form=form, days=days)
