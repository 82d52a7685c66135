"""The closed lists of words that the tables store, in the field's standard terms."""

from enum import StrEnum


class Role(StrEnum):
    """What a staff member may do follows from this; see `permissions`."""

    ADMIN = "admin"
    COORDINATOR = "coordinator"
    NURSE = "nurse"
    PHYSICIAN = "physician"
    AUDITOR = "auditor"


class ResourceKind(StrEnum):
    """Whatever can be claimed for a time."""

    ROOM = "room"
    STAFF = "staff"
    PATIENT = "patient"
    EQUIPMENT = "equipment"


class IntakeStatus(StrEnum):
    """Where a patient is on the way in."""

    ENQUIRY = "enquiry"
    FORMS = "forms"
    CONSULT = "consult"
    CLEARED = "cleared"
    NOT_NOW = "not_now"


class Indication(StrEnum):
    """What a course treats."""

    TRD = "trd"
    PTSD = "ptsd"
    OCD = "ocd"
    GAD = "gad"
    CRPS = "crps"
    NEUROPATHIC = "neuropathic"
    FIBROMYALGIA = "fibromyalgia"


class CourseStatus(StrEnum):
    """A course runs until its visits are done or it is ended with a reason."""

    ACTIVE = "active"
    COMPLETED = "completed"
    ENDED = "ended"


class VisitStatus(StrEnum):
    """The story of one visit; `visit.py` has the allowed moves."""

    BOOKED = "booked"
    ARRIVED = "arrived"
    TIME_OUT = "time_out"
    INFUSING = "infusing"
    PAUSED = "paused"
    RECOVERING = "recovering"
    READY = "ready"
    DISCHARGED = "discharged"
    NO_SHOW = "no_show"
    HELD = "held"  # came, not treated
    CANCELLED = "cancelled"
    TRANSFERRED = "transferred"  # to a hospital


class ContactChannel(StrEnum):
    """How a patient can be reached."""

    EMAIL = "email"
    PHONE = "phone"  # to call
    SMS = "sms"  # the same telephone perhaps, but to write to: a consent of its own


class CareRole(StrEnum):
    """Who else belongs to a patient's care."""

    DRIVER = "driver"
    REFERRER = "referrer"
    THERAPIST = "therapist"
    PRESCRIBER = "prescriber"
    EMERGENCY = "emergency"


class Severity(StrEnum):
    """How strong a side effect is at the chair side."""

    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"


class SideEffectAction(StrEnum):
    """What was done about a side effect."""

    NONE = "none"
    SLOWED = "slowed"
    PAUSED = "paused"
    STOPPED = "stopped"
    MEDICINE = "medicine"


class SignMeaning(StrEnum):
    """What a signature says."""

    AUTHORED = "authored"
    REVIEWED = "reviewed"
    WITNESSED = "witnessed"


class TaskStatus(StrEnum):
    """A task ends with an outcome, a reason, or because its course ended."""

    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class ReminderChannel(StrEnum):
    """How a message goes out."""

    EMAIL = "email"
    SMS = "sms"


class ReminderStatus(StrEnum):
    """The way of one message; `delivery.py` has the allowed moves."""

    SCHEDULED = "scheduled"
    LEASED = "leased"
    SENDING = "sending"
    ACCEPTED = "accepted"  # the mail server, or the provider of texts, has it
    DELIVERED = "delivered"  # and says that it arrived
    BOUNCED = "bounced"  # or that it can't
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    SUPPRESSED = "suppressed"  # not sent on purpose: no consent, opted out, no address


class AttemptOutcome(StrEnum):
    """What one try to send came to."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"  # for good
    DEFERRED = "deferred"  # before the message was handed over: safe to try again
    UNCERTAIN = "uncertain"  # handed over, no answer


class SignInMethod(StrEnum):
    """How a session began."""

    PASSWORD = "password"


class LinkPurpose(StrEnum):
    """What a patient's link opens."""

    COURSE = "course"


class JobStatus(StrEnum):
    """The way of a piece of work that a worker does."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"  # somebody asked it to
    FAILED = "failed"
