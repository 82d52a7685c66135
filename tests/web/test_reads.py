"""Whatever shows a patient's record leaves an entry in the audit: also the page that comes back with a refusal."""

import pytest
from sqlalchemy import func, select

from tests.bedside import make_course
from tracker import db
from tracker.models import AuditEntry, Visit


def entries(patient_id) -> int:
    """Count the entries about a patient."""
    with db.read() as session:
        return session.scalar(select(func.count()).where(AuditEntry.patient_id == patient_id))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/patients/{patient}/courses/new"),
        ("post", "/patients/{patient}/edit"),
        ("post", "/visits/{visit}/moves"),
        ("post", "/visits/{visit}/vitals"),
        ("post", "/visits/{visit}/note"),
        ("post", "/visits/{visit}/check-in"),
        ("post", "/visits/{visit}/move"),
        ("post", "/courses/{course}/scores"),
    ],
)
def test_a_page_that_shows_a_record_is_in_the_audit(app, house, browser, method, path):
    course_id, visits = make_course(house)
    with db.read() as session:
        patient_id = session.get_one(Visit, visits[0]).patient_id
    client = browser(house.nurse)
    before = entries(patient_id)
    answer = getattr(client, method)(path.format(patient=patient_id, visit=visits[0], course=course_id))
    assert answer.status_code in {200, 422}
    assert "Tran" in answer.text
    assert entries(patient_id) == before + 1
