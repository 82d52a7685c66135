"""To do and questionnaires, through the browser's requests alone."""

import re

import pytest

from tests.bedside import make_course, tasks
from tracker.rules.vocabulary import TaskStatus


@pytest.fixture
def course(house):
    return make_course(house)


def phq9(*answers, **more):
    return {f"item{number}": str(value) for number, value in enumerate(answers, start=1)} | more


def test_an_unanswered_question_is_named_and_the_rest_kept(browser, house, course):
    nurse = browser(house.nurse)
    answers = phq9(2, 2, 2, 2, 2, 2, 2, 2)
    page = nurse.post(f"/courses/{course[0]}/scores", data=answers)
    assert page.status_code == 422
    assert "Question 9 has no answer yet" in page.text
    assert len(re.findall(r'value="2" checked', page.text.replace(' id="', ' data="'))) == 8


def test_a_risen_answer_is_a_task_that_only_a_physician_closes(browser, house, course):
    nurse, physician = browser(house.nurse), browser(house.physician)
    visit = str(course[1][0])
    saved = nurse.post(f"/courses/{course[0]}/scores", data=phq9(2, 2, 2, 2, 2, 2, 2, 2, 3, visit=visit))
    assert saved.location == f"/visits/{visit}"
    assert "Suicide answer not settled" in nurse.get(f"/visits/{visit}").text
    (task,) = tasks(course[0], "safety_answer")
    close = {"version": "1", "outcome": "Safety plan made, sister informed"}
    refused = nurse.post(f"/tasks/{task.id}/close", data=close)
    assert refused.status_code == 422
    assert "A physician settles this one" in refused.text
    assert "A physician settles this one" in nurse.get("/to-do?show=all").text
    assert physician.post(f"/tasks/{task.id}/close", data=close).status_code == 303
    assert tasks(course[0], "safety_answer")[0].status is TaskStatus.DONE


def test_a_task_is_taken_and_closed_with_an_outcome(browser, house, course):
    nurse, other = browser(house.nurse), browser(house.second_nurse)
    nurse.post(f"/courses/{course[0]}/scores", data=phq9(0, 0, 0, 0, 0, 0, 0, 0, 1))
    (task,) = tasks(course[0], "safety_answer")
    assert nurse.post(f"/tasks/{task.id}/take").status_code == 303
    assert "Suicide answer" in nurse.get("/to-do").text
    assert "Suicide answer" not in other.get("/to-do").text
    empty = browser(house.physician).post(f"/tasks/{task.id}/close", data={"version": "2"})
    assert empty.status_code == 422
    assert 'id="outcome-error"' in empty.text
    stale = browser(house.physician).post(f"/tasks/{task.id}/close", data={"version": "1", "outcome": "Seen"})
    assert stale.status_code == 409
    assert "Seen" in stale.text


def test_an_empty_list_says_what_to_look_at(browser, house):
    assert "Nothing to do here" in browser(house.coordinator).get("/to-do").text
