"""Accounts, guesses and forms sent twice, on both databases."""

import threading
from datetime import timedelta

import pytest

from tests.factories import make_clinic
from tracker import db
from tracker.errors import Invalid, NotFound, Refused
from tracker.rules.permissions import Role
from tracker.services import accounts, guessing
from tracker.services.requests import once

GOOD = "velvet orchid gravel tulip"


@pytest.fixture
def house(database):
    return make_clinic()


def add(house, now, **more):
    asked = {"email": "N.New@Example.org", "name": "N. New", "role": Role.NURSE, "password": GOOD, **more}
    password = asked.pop("password")
    with db.transaction() as session:
        return accounts.add(session, house.admin, accounts.AddUser(**asked), password, now=now)


def test_an_account_is_kept_in_lower_case_and_opens_with_its_password_only(house, now):
    add(house, now)

    with db.read() as session:
        account = accounts.account(session, " n.new@EXAMPLE.org ")
    assert account.email == "n.new@example.org"
    assert accounts.password_fits(account, GOOD)
    assert not accounts.password_fits(account, GOOD + " ")
    assert not accounts.password_fits(None, GOOD)
    assert account.password_hash.startswith("$argon2id$")


def test_nothing_of_a_long_password_is_cut_off(house, now):
    long = "velvet orchid gravel tulip " * 9
    account = add(house, now, password=long)

    assert accounts.password_fits(account, long)
    assert not accounts.password_fits(account, long[:-1])


def test_an_address_signs_in_one_person_only(house, now):
    add(house, now)

    with pytest.raises(Invalid, match="email: Somebody signs in"):
        add(house, now, email="n.new@example.ORG")
    with pytest.raises(Invalid, match="password: Use at least 15"):
        add(house, now, email="other@example.org", password="short")


def test_disabled_means_out_at_once(house, now):
    account = add(house, now)
    with db.transaction() as session:
        token = accounts.open_session(session, account, "10.0.0.1", now=now)
    with db.read() as session:
        assert accounts.resume(session, token, now=now).actor.name == "N. New"

    with db.transaction() as session:
        accounts.disable(session, house.admin, account.id, now=now)

    with db.read() as session:
        assert accounts.resume(session, token, now=now) is None
    with db.transaction() as session, pytest.raises(Refused, match="changed just now"):
        accounts.open_session(session, account, "10.0.0.1", now=now)


def test_another_clinics_account_is_not_there(house, now):
    other = make_clinic()

    for act in (
        lambda session: accounts.disable(session, other.admin, house.nurse.user_id, now=now),
        lambda session: accounts.set_role(session, other.admin, house.nurse.user_id, Role.ADMIN, now=now),
        lambda session: accounts.set_password(session, other.admin, house.nurse.user_id, GOOD, now=now),
    ):
        with pytest.raises(NotFound), db.transaction() as session:
            act(session)


def test_the_last_administrator_stays(house, now):
    with pytest.raises(Refused, match="only administrator"), db.transaction() as session:
        accounts.disable(session, house.admin, house.admin.user_id, now=now)
    with pytest.raises(Refused, match="only administrator"), db.transaction() as session:
        accounts.set_role(session, house.admin, house.admin.user_id, Role.NURSE, now=now)


def test_a_session_lasts_a_quarter_of_an_hour_and_twelve_hours_at_most(house, now):
    account = add(house, now)
    with db.transaction() as session:
        token = accounts.open_session(session, account, "10.0.0.1", now=now)

    def at(later):
        with db.read() as session:
            return accounts.resume(session, token, now=now + later)

    assert at(timedelta(minutes=14)) is not None
    assert at(timedelta(minutes=15)) is None
    with db.transaction() as session:
        accounts.touch(session, at(timedelta(minutes=14)).token_hash, now=now + timedelta(hours=12, minutes=-1))
    assert at(timedelta(hours=12, seconds=-1)) is not None
    assert at(timedelta(hours=12)) is None


def guess(now, email="maria@example.org", address="10.0.0.1"):
    """Return whether a guess would be looked at."""
    try:
        with db.transaction() as session:
            guessing.count(session, email, address, now=now)
    except Refused:
        return False
    return True


def test_of_forty_guesses_at_once_ten_are_looked_at(database, now):
    answers = []
    gate = threading.Barrier(40)

    def try_once():
        gate.wait(timeout=30)
        answers.append(guess(now))

    threads = [threading.Thread(target=try_once) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert (len(answers), sum(answers)) == (40, 10)


def test_pauses_grow_and_a_success_forgives(database, now):
    assert [guess(now) for _ in range(11)] == [True] * 10 + [False]

    assert not guess(now + timedelta(seconds=29))
    assert guess(now + timedelta(seconds=30))
    assert not guess(now + timedelta(seconds=149))
    assert guess(now + timedelta(seconds=150))
    later = now + timedelta(hours=1)
    with db.transaction() as session:
        guessing.refund(session, "maria@example.org", "10.0.0.1")
    assert [guess(later) for _ in range(11)] == [True] * 10 + [False]


def test_an_address_is_stopped_after_fifty_accounts(database, now):
    assert [guess(now, email=f"{n}@example.org") for n in range(51)] == [True] * 50 + [False]
    # The guess that the address was refused was not counted for the account either.
    assert sum(guess(now, email="50@example.org", address="10.0.0.2") for _ in range(11)) == 10


def test_a_clinic_with_more_sign_ins_than_slips_is_never_shut_out(database, now):
    for slip in range(120):
        assert guess(now, email=f"slip{slip}@example.org")
        assert guess(now, email="fine@example.org")
        with db.transaction() as session:
            guessing.refund(session, "fine@example.org", "10.0.0.1")


def test_a_form_sent_twice_at_once_does_its_work_once(house, now):
    done, answers = [], []
    gate = threading.Barrier(8)
    owner, key = house.nurse.user_id, house.clinic.id

    def send():
        gate.wait(timeout=30)
        with db.transaction() as session:

            def do():
                done.append(threading.get_ident())
                return f"/visits/{len(done)}"

            answers.append(once(session, owner, key, "a" * 64, do, now=now))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert (len(done), answers) == (1, ["/visits/1"] * 8)


def test_the_same_form_with_other_values_is_refused_and_a_failed_one_may_be_sent_again(house, now):
    owner, key = house.nurse.user_id, house.clinic.id

    def send(digest, do, who=owner):
        with db.transaction() as session:
            return once(session, who, key, digest, do, now=now)

    with pytest.raises(ZeroDivisionError):
        send("a" * 64, lambda: str(1 / 0))
    assert send("b" * 64, lambda: "/first") == "/first"
    with pytest.raises(Refused, match="sent before with other values"):
        send("c" * 64, lambda: "/second")
    assert send("c" * 64, lambda: "/another", who=house.physician.user_id) == "/another"
