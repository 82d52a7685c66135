"""Two add the same person at once: one account, and the other one is told, as if it had been there before."""

from sqlalchemy.orm import Session

from tests.conftest import NOW
from tests.factories import make_clinic
from tests.races.test_at_once import one_after_the_other
from tracker import db
from tracker.models import UserAccount
from tracker.rules.permissions import Role
from tracker.services import accounts


def test_of_two_who_add_the_same_address_at_once_one_is_told_that_it_is_taken(database):
    house = make_clinic()
    wanted = accounts.AddUser(email="n.new@example.org", name="N. New", role=Role.NURSE)

    def add(session: Session) -> None:
        accounts.add(session, house.admin, wanted, "velvet orchid gravel tulip", now=NOW)

    added, told = one_after_the_other(add, add)
    assert added == "done"
    assert told.startswith("email: Somebody signs in with this address already")
    with db.read() as session:
        assert session.query(UserAccount).filter_by(email=wanted.email).count() == 1
