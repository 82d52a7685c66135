"""A certificate that nobody knows but who made it."""

import shutil
import ssl
import subprocess

import pytest

from tests.conftest import missing


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a certificate for localhost; return its file and its key's."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    if not shutil.which("openssl"):
        missing("openssl (Debian: apt-get install openssl)")
    asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    made = subprocess.run(["openssl", *asked.split(), "-keyout", key, "-out", cert], capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    return cert, key


@pytest.fixture
def tls(certificate):
    """Return a server's TLS context."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context
