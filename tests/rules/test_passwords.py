"""Easy passwords are refused, good ones aren't bothered."""

import pytest

from tracker.rules.passwords import password_fault

ABOUT = ("Maria Reyes", "m.reyes@cottonwood.example", "Cottonwood Clinic")


@pytest.mark.parametrize(
    "password",
    [
        "velvet orchid gravel tulip",
        "correct the canoe before breakfast",
        "Xk7#pQ2!vN9$wL4z",
        "gr8 b1g purple elephants march",
        "ünïcödé pässwörter sind gut",
        "日本語のパスワードは長くてもいいですよ",
        "orbit" + " lantern" * 2 + " meadow " + "q7z" * 60,
    ],
)
def test_a_good_password_is_taken(password):
    assert password_fault(password, ABOUT) is None


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "at least 15"),
        ("fourteen chars", "at least 15"),
        ("x" * 257, "at most 256"),
        *[
            (easy, "first that would be guessed")
            for easy in (
                *("passwordpassword", "Password12345678", "P@ssw0rdP@ssw0rd1", "aaaaaaaaaaaaaaaaaa", "abcabcabcabcabc"),
                *(
                    "123456789012345",
                    "qwertyuiopasdfghjkl",
                    "correcthorsebatterystaple",
                    "Cottonwood2026!!",
                    "mariareyes19850314",
                ),
                *("KetamineClinic2026", "1q2w3e4r5t6y7u8i", "letmeinletmein123", "iloveyouiloveyou", "               "),
                *("administrator2026", "welcome-welcome-welcome"),
            )
        ],
    ],
)
def test_an_easy_one_is_refused(password, said):
    assert said in (password_fault(password, ABOUT) or "taken")
