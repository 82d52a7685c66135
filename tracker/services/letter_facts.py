"""What a letter's words are made of, whoever writes them: the worker, or a page that shows what will be sent."""

from tracker.interop import mail
from tracker.services.letters import Letter


def facts(letter: Letter, link: str | None) -> mail.Facts:
    """Return what a letter's words are made of."""
    return mail.Facts(
        purpose=letter.purpose,
        first_name=letter.first_name,
        sender_name=letter.clinic.discreet_name,
        phone=letter.clinic.phone,
        zone=letter.clinic.zone,
        country=letter.clinic.country,
        starts=[visit.starts_at for visit in letter.visits],
        link=link,
        language=letter.language,
        lives_in=letter.zone,
        asks_how=letter.asks_how,
        due=letter.due or mail.Due(),
    )
