"""Tables, constraints and types."""

from tracker.models.access import GuessCount, LoginSession, PatientLink, PortalSession, RequestKey, UserAccount
from tracker.models.audit import AuditEntry, AuditHead
from tracker.models.base import Base, new_id
from tracker.models.bedside import (
    Addendum,
    ChecklistAnswer,
    Dose,
    InfusionOrder,
    Note,
    RecoveryNote,
    SideEffect,
    VitalReading,
)
from tracker.models.clinic import Clinic, OpeningHours, Setting
from tracker.models.job import Job
from tracker.models.messages import (
    Attempt,
    JobRun,
    OutboxMessage,
    ProviderEvent,
    ProviderState,
    Reminder,
    ReminderEvent,
    Sending,
    WorkerHeartbeat,
)
from tracker.models.outcomes import ScaleResponse, Task
from tracker.models.people import (
    Allergy,
    CareContact,
    Closure,
    ContactPoint,
    Medicine,
    Patient,
    Resource,
    Shift,
    StaffMember,
    WeeklyClosure,
)
from tracker.models.schedule import Claim, Course, ProtocolVersion, Visit, VisitEvent

__all__ = [
    "Addendum",
    "Allergy",
    "Attempt",
    "AuditEntry",
    "AuditHead",
    "Base",
    "CareContact",
    "ChecklistAnswer",
    "Claim",
    "Clinic",
    "Closure",
    "ContactPoint",
    "Course",
    "Dose",
    "GuessCount",
    "InfusionOrder",
    "Job",
    "JobRun",
    "LoginSession",
    "Medicine",
    "Note",
    "OpeningHours",
    "OutboxMessage",
    "Patient",
    "PatientLink",
    "PortalSession",
    "ProtocolVersion",
    "ProviderEvent",
    "ProviderState",
    "RecoveryNote",
    "Reminder",
    "ReminderEvent",
    "RequestKey",
    "Resource",
    "ScaleResponse",
    "Sending",
    "Setting",
    "Shift",
    "SideEffect",
    "StaffMember",
    "Task",
    "UserAccount",
    "Visit",
    "VisitEvent",
    "VitalReading",
    "WeeklyClosure",
    "WorkerHeartbeat",
    "new_id",
]
