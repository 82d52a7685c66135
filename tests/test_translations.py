"""Every text that a patient reads has its Spanish, with the same values in it."""

import re

import pytest

from tests import translations

VALUE = re.compile(r"%\((\w+)\)[sd]")


def test_every_text_that_patients_read_is_looked_at():
    said = {text for _file, _line, text in translations.texts()}
    assert {"Your next appointment", "Hello %(name)s,", "STOP ends these.", "Appointment"} <= said


def test_every_text_has_its_spanish():
    """Red? `make texts`, then translate what is empty in templates/locale/es/LC_MESSAGES/tracker.po."""
    assert [message.id for message in translations.missing()] == []


def test_the_catalogue_has_nothing_that_nobody_reads():
    wanted = {str(message.id) for message in translations.wanted()}
    assert {str(message.id) for message in translations.catalogue()} == wanted


@pytest.mark.parametrize(
    "message", [one for one in translations.catalogue() if one.id], ids=lambda one: str(one.id)[:40]
)
def test_the_spanish_has_the_same_values(message):
    asked = message.id if isinstance(message.id, tuple) else (message.id,)
    said = message.string if isinstance(message.string, tuple) else (message.string,)
    assert {frozenset(VALUE.findall(one)) for one in said} <= {frozenset(VALUE.findall(one)) for one in asked}
