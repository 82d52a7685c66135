"""A provider of texts that speaks Twilio's protocol over real HTTP(S), keeps what it took, and has faults."""

import base64
import json
import re
import socket
import ssl
import struct
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode
from urllib.request import Request, urlopen

from tracker.channels.sms import Account, signature
from tracker.rules.gsm import cut

SID, TOKEN, NUMBER = "AC" + "1" * 32, "t0ken" * 7, "+15055550100"
# Numbers with a fate of their own; the codes are those of the provider's dictionary.
REFUSED = {
    "+15055550001": (21211, "The 'To' number is not a valid phone number."),
    "+15055550009": (21614, "'To' number is not a valid mobile number"),
    "+15055550010": (21610, "Attempt to send to unsubscribed recipient"),
    "+15055550011": (21408, "Permission to send an SMS has not been enabled for the region"),
    "+15055550012": (21606, "The 'From' phone number is not a valid, SMS-capable number"),
    "+15055550013": (21611, "This 'From' number has exceeded the maximum number of queued messages"),
    "+15055550014": (21635, "'To' number cannot be a landline"),
    "+15055550015": (29999, "Something that nobody knew when this was written"),
}


@dataclass
class Provider:
    """Runs the server while it is entered.

    `faults` are for the next requests, one each, and `always` for those after: "" is none, "503", "429 retry=7" an
    answer, "hang" and "reset" come before the text is read, "hang after", "reset after", "drip after", "garbage after",
    "nonsense after", "short after" and "500 after" when it was taken.
    """

    faults: deque[str] = field(default_factory=deque)
    always: str = ""
    tls: ssl.SSLContext | None = None
    sent: list[dict[str, str]] = field(default_factory=list)
    requests: int = 0
    account_is: str = "active"

    def __enter__(self) -> "Provider":
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.provider = self  # type: ignore[attr-defined] # ours, put there by `Provider`
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def account(self, **more: Any) -> Account:
        """Return our account there."""
        api = f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"
        return Account(**{"sid": SID, "token": TOKEN, "sender": NUMBER, "api": api} | more)

    def wait(self, seconds: float) -> bool:
        """Wait, unless it is over."""
        return self._over.wait(seconds)

    def tell(self, sid: str, status: str, code: int | None = None) -> int:
        """Call back about a text as it changes its state; return the answer's status."""
        text = next(text for text in self.sent if text["sid"] == sid)
        return post(text["StatusCallback"], receipt(sid, status, text["To"], code))


def receipt(sid: str, status: str, to: str, code: int | None = None) -> dict[str, str]:
    """Return the fields of a status callback."""
    fields = {
        "AccountSid": SID,
        "ApiVersion": "2010-04-01",
        "From": NUMBER,
        "MessageSid": sid,
        "MessageStatus": status,
        "SmsSid": sid,
        "SmsStatus": status,
        "To": to,
    }
    return fields if code is None else fields | {"ErrorCode": str(code)}


def answer(sid: str, sender: str, body: str, **more: str) -> dict[str, str]:
    """Return the fields of an inbound text."""
    return {
        "AccountSid": SID,
        "ApiVersion": "2010-04-01",
        "Body": body,
        "From": sender,
        "FromCountry": "US",
        "MessageSid": sid,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsMessageSid": sid,
        "SmsSid": sid,
        "SmsStatus": "received",
        "To": NUMBER,
        **more,
    }


def headers(address: str, fields: dict[str, str]) -> dict[str, str]:
    """Return the headers that the provider signs its own requests with."""
    return {"X-Twilio-Signature": signature(TOKEN, address, fields.items())}


def post(address: str, fields: dict[str, str]) -> int:
    """Send a signed request, as the provider does; return the answer's status."""
    asked = Request(address, urlencode(fields).encode(), headers(address, fields), method="POST")
    with urlopen(asked, timeout=10) as said:
        return said.status


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def do_POST(self) -> None:
        """Take a text, or do what the next fault says."""
        provider: Provider = self.server.provider  # type: ignore[attr-defined] # ours, put there by `Provider`
        provider.requests += 1
        fault = provider.faults.popleft() if provider.faults else provider.always
        if fault in ("hang", "reset"):
            self._break_off(fault)
            return
        fields = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode(), strict_parsing=True))
        word = fault.split()[0] if fault else ""
        if word.isdigit() and "after" not in fault:
            more = {"Retry-After": fault.partition("retry=")[2]} if "retry=" in fault else {}
            self._say(int(word), {"code": 20000 + int(word), "message": "no", "status": int(word)}, more)
            return
        status, said = self._take(fields)
        if fault.endswith("after"):
            self._break_off(word)
            return
        self._say(status, said)

    def do_GET(self) -> None:
        """Say what there is to say of the account."""
        if self.path != f"/2010-04-01/Accounts/{SID}.json":
            self._say(*_error(404, 20404, "not found"))
        elif not self._signed_in():
            self._say(*_error(401, 20003, "Authenticate"))
        else:
            self._say(200, {"sid": SID, "status": self.server.provider.account_is})  # type: ignore[attr-defined] # ours, put there by `Provider`

    def _signed_in(self) -> bool:
        return self.headers["Authorization"] == "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()

    def _take(self, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Check as the provider does, and keep it."""
        if self.path != f"/2010-04-01/Accounts/{SID}/Messages.json":
            return _error(404, 20404, f"The requested resource {self.path} was not found")
        if not self._signed_in():
            return _error(401, 20003, "Authenticate")
        sender = fields.get("From") or fields.get("MessagingServiceSid", "")
        if not re.fullmatch(r"\+[0-9]{6,15}|MG[0-9a-f]{32}", sender):
            return _error(400, 21603, "A 'From' phone number is required")
        if not 1 <= len(fields.get("Body", "")) <= 1600:
            return _error(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        if not 1 <= int(fields.get("ValidityPeriod", "36000")) <= 36000:
            return _error(400, 20001, "ValidityPeriod is out of range")
        if fields["To"] in REFUSED:
            return _error(400, *REFUSED[fields["To"]])
        provider: Provider = self.server.provider  # type: ignore[attr-defined] # ours, put there by `Provider`
        sid = f"SM{len(provider.sent) + 1:032x}"
        provider.sent.append({**fields, "sid": sid})
        service = sender.startswith("MG")
        return 201, {
            "account_sid": SID,
            "api_version": "2010-04-01",
            "body": fields["Body"],
            "date_created": "Mon, 02 Mar 2026 16:00:00 +0000",
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": None if service else sender,
            "num_media": "0",
            "num_segments": "0" if service else str(cut(fields["Body"]).segments),
            "sid": sid,
            "status": "accepted" if service else "queued",
            "to": fields["To"],
            "uri": f"/2010-04-01/Accounts/{SID}/Messages/{sid}.json",
        }

    def _break_off(self, how: str) -> None:
        provider: Provider = self.server.provider  # type: ignore[attr-defined] # ours, put there by `Provider`
        self.close_connection = True
        if how == "hang":
            provider.wait(20)
        elif how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif how == "garbage":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")
        elif how == "nonsense":
            self.wfile.write(b"what is this?\r\n\r\n")
        elif how == "short":
            self.wfile.write(b'HTTP/1.1 201 Created\r\nContent-Length: 900\r\n\r\n{"sid": "SM')
        elif how == "drip":
            self._drip(b"HTTP/1.1 201 Created\r\nX-Slow: " + b"z" * 500)
        else:
            self._say(int(how), {})

    def _drip(self, said: bytes) -> None:
        provider: Provider = self.server.provider  # type: ignore[attr-defined] # ours, put there by `Provider`
        for byte in said:
            if provider.wait(0.1):
                return
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                return

    def _say(self, status: int, said: dict[str, Any], more: dict[str, str] | None = None) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(more or {}),
        }.items():
            self.send_header(name, value)
        with suppress(OSError):  # whoever asked is gone
            self.end_headers()
            self.wfile.write(body)


def _error(status: int, code: int, message: str) -> tuple[int, dict[str, Any]]:
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    return status, {"code": code, "message": message, "more_info": more_info, "status": status}
