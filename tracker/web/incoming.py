"""What a request may bring: few fields, and text that arrives as it was sent or is marked as damaged."""

from typing import IO
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

MOST_BYTES = 256 * 1024
MOST_FIELDS = 400

Parsed = tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]


class BoundedForm(FormDataParser):
    """Counts fields, and marks damaged text.

    Werkzeug's own parser counts only the parts of a multipart body, reads bad UTF-8 as an empty form, and keeps a
    broken `%FF` as those three characters. With U+FFFD in its place the field's own check refuses it.
    """

    def parse(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> Parsed:
        """Return the stream, the fields and the files of a body."""
        if mimetype != "application/x-www-form-urlencoded":
            return super().parse(stream, mimetype, content_length, options)
        text = stream.read().decode(errors="replace")
        try:
            fields = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS)
        except ValueError:
            raise RequestEntityTooLarge from None
        return stream, MultiDict(fields), MultiDict()


class BoundedRequest(Request):
    """A request whose form is read with our limits."""

    form_data_parser_class = BoundedForm
