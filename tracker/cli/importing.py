"""`tracker import patients`: read the file, check all of it, then take in all of it or nothing."""

from collections.abc import Iterable

from tracker import clock, db
from tracker.cli.base import actor_of
from tracker.errors import TrackerError
from tracker.interop.patient_file import read_patients
from tracker.interop.tables import Fault
from tracker.services import patient_import
from tracker.services.clinic import info


class NotImported(TrackerError):
    """The file has faults, one a line. Nothing was imported."""

    def __init__(self, faults: Iterable[Fault], remarks: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        notes = (f"Note: {remark}" for remark in remarks)
        last = f"{len(self.faults)} to mend. Nothing was imported."
        super().__init__("\n".join([*map(str, self.faults), *notes, last]))


def patients(data: bytes, *, clinic_name: str | None = None, dry_run: bool = False) -> tuple[int, tuple[Fault, ...]]:
    """Import a practice's list of patients; return how many they are, and what is worth a look.

    Args:
        data: The CSV file.
        clinic_name: Which clinic's they are; needed where there are several.
        dry_run: Check everything and change nothing.

    Raises:
        NotImported: A line can't be taken in.
        click.ClickException: It isn't clear which clinic is meant.
    """
    now = clock.now()
    with db.read() as session:
        actor = actor_of(session, clinic_name)
        clinic = info(session, actor.clinic_id)
        found = read_patients(data, country=clinic.country, today=now.astimezone(clinic.zone).date())
        faults = [*found.faults, *patient_import.faults(session, actor, found.rows)]
    if faults:
        raise NotImported(faults, found.remarks)
    if not dry_run:
        with db.transaction() as session:
            patient_import.import_patients(session, actor, found.rows, now=now)
    return len(found.rows), found.remarks
