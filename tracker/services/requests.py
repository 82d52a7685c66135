"""A form that is sent twice does its work once."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import RequestKey, new_id
from tracker.models.base import insert_unless
from tracker.text import gettext as _


def once(session: Session, owner_id: UUID, key: UUID, digest: str, do: Callable[[], str], *, now: datetime) -> str:
    """Do it and return the address it leads to; when the form was sent before, return where it led then.

    Args:
        owner_id: The user, or the patient's link.
        key: The form's own number, made when the page was shown.
        digest: SHA-256 in hex of what was sent and where to.

    Raises:
        Refused: The same form was sent before with other values.
    """
    row = {
        "id": new_id(),
        "owner_id": owner_id,
        "key": str(key),
        "body_digest": digest,
        "result_url": "",
        "created_at": now,
    }
    # Whoever sends the same form at the same time waits here until the first is done, and then sees its row.
    claimed = session.scalar(
        insert_unless(session, RequestKey).values(row).on_conflict_do_nothing().returning(RequestKey.id)
    )
    mine = (RequestKey.owner_id == owner_id, RequestKey.key == str(key))
    if claimed is None:
        first = session.scalars(select(RequestKey).where(*mine)).one()
        if first.body_digest != digest:
            raise Refused(_("This form was sent before with other values. Open the page again and look what was kept."))
        return first.result_url
    address = do()
    session.execute(update(RequestKey).where(*mine).values(result_url=address))
    return address
