"""Mail to the administrators: log-in to the mail server, and servers that do not take it."""

import ssl
from collections.abc import Generator
from email.message import Message
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from fractal_auth.mail import notify

from tests.processes import free_port

from .mailbox import RECIPIENTS, SENDER, MailServer, certificate

SECRET = "a password of the sender"


def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (SENDER.encode(), SECRET.encode())
    return AuthResult(success=good)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[MailServer]:
    """Wants STARTTLS, then a password."""
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    controller = Controller(
        Mailbox(str(tmp_path / "box")),
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=context,
        require_starttls=True,
        authenticator=authenticate,
        auth_required=True,
    )
    controller.start()
    server = MailServer(controller.port, tmp_path, cert)
    for name, value in server.settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FRACTAL_EMAIL_USE_LOGIN", "true")
    monkeypatch.setenv("FRACTAL_EMAIL_PASSWORD", SECRET)
    yield server
    controller.stop()


async def test_the_sender_logs_in_and_all_recipients_get_one_message(server: MailServer) -> None:
    assert await notify("A subject", "A text.\n")
    (message,) = server.messages()
    assert isinstance(message, Message)
    assert message["Subject"] == "[Fractal, test instance] A subject"
    assert message["X-RcptTo"] == ", ".join(RECIPIENTS)
    assert message["X-MailFrom"] == SENDER


async def test_a_wrong_password_is_logged_and_not_raised(
    server: MailServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRACTAL_EMAIL_PASSWORD", "another one")
    assert not await notify("A subject", "A text.\n")
    assert server.messages() == []
    written = "".join(capsys.readouterr())
    assert "mail.not_sent" in written
    assert "another one" not in written


async def test_a_certificate_that_nobody_vouches_for_gets_no_password(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert not await notify("A subject", "A text.\n")
    assert server.messages() == []


async def test_a_server_that_is_not_there_costs_nothing_but_the_mail(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRACTAL_EMAIL_SMTP_PORT", str(free_port()))
    assert not await notify("A subject", "A text.\n")


async def test_without_settings_there_is_no_mail(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in server.settings:
        monkeypatch.delenv(name)
    monkeypatch.delenv("FRACTAL_EMAIL_PASSWORD")
    assert not await notify("A subject", "A text.\n")
