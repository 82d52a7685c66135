"""Who may do what. One table, read top to bottom; whatever it doesn't name is refused."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from tracker.rules.vocabulary import Role

__all__ = ["Actor", "Permission", "Role", "allows"]


class Permission(StrEnum):
    """One thing somebody may do; every view names exactly one."""

    # Without a staff sign-in.
    PUBLIC = "public"  # anybody: sign-in page, health check
    PATIENT_LINK = "patient_link"  # whoever holds a patient's link
    PROVIDER = "provider"  # the texts' provider, by its signature

    SIGNED_IN = "signed_in"  # any staff member: own password, sign out
    VIEW_DAY = "view_day"
    VIEW_PATIENT = "view_patient"
    EDIT_PATIENT = "edit_patient"
    BOOK_COURSE = "book_course"
    MOVE_VISIT = "move_visit"
    ENTER_HOURS = "enter_hours"  # shifts, absences, closures, outages
    RUN_VISIT = "run_visit"  # arrived, no-show, came but not treated, cancelled, gone home
    TREAT = "treat"  # checklist, start, dose, vital signs, side effects, discharge
    ORDER = "order"  # the dose order of a series
    OVERRIDE = "override"  # go on past a warning, with a reason
    SIGN_NOTE = "sign_note"
    SIGN = "sign"  # what only a physician signs: orders, reviews
    ENTER_SCORE = "enter_score"  # a questionnaire filled in with the patient
    VIEW_TASKS = "view_tasks"
    DO_TASK = "do_task"
    VIEW_MESSAGES = "view_messages"
    SEND_MESSAGE = "send_message"
    VIEW_SETTINGS = "view_settings"  # what is sent, and when
    MANAGE_CLINIC = "manage_clinic"  # rooms, opening hours, protocols, messages
    MANAGE_USERS = "manage_users"
    VIEW_AUDIT = "view_audit"


_P = Permission
_DESK = {
    *(_P.SIGNED_IN, _P.VIEW_DAY, _P.VIEW_PATIENT, _P.EDIT_PATIENT, _P.BOOK_COURSE, _P.MOVE_VISIT, _P.RUN_VISIT),
    *(_P.ENTER_SCORE, _P.VIEW_TASKS, _P.DO_TASK, _P.VIEW_MESSAGES, _P.SEND_MESSAGE),
}
_BEDSIDE = {_P.TREAT, _P.SIGN_NOTE}

_GRANTED = MappingProxyType(
    {
        Role.COORDINATOR: frozenset(_DESK | {_P.ENTER_HOURS, _P.VIEW_SETTINGS}),
        Role.NURSE: frozenset(_DESK | _BEDSIDE),
        Role.PHYSICIAN: frozenset(_DESK | _BEDSIDE | {_P.ENTER_HOURS, _P.ORDER, _P.OVERRIDE, _P.SIGN}),
        # An administrator looks after the house and its accounts, and treats nobody.
        Role.ADMIN: frozenset(
            _DESK | {_P.ENTER_HOURS, _P.VIEW_SETTINGS, _P.MANAGE_CLINIC, _P.MANAGE_USERS, _P.VIEW_AUDIT}
        ),
        # An auditor reads who did what, and changes nothing.
        Role.AUDITOR: frozenset({_P.SIGNED_IN, _P.VIEW_AUDIT}),
    }
)


def allows(role: Role | None, permission: Permission) -> bool:
    """Return whether somebody with `role` may; nobody in particular (None) may only what is public."""
    if permission is Permission.PUBLIC:
        return True
    return role is not None and permission in _GRANTED[role]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a staff member, or a patient by a link, the worker, a command (no `user_id`, no `role`)."""

    clinic_id: UUID
    user_id: UUID | None
    role: Role | None
    name: str

    def may(self, permission: Permission) -> bool:
        """Return whether this actor's role allows it."""
        return allows(self.role, permission)
