"""Mail to the administrators."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formataddr

from fractal_common.settings import ConfigurationError, EmailSettings, MailServer, load
from fractal_common.telemetry import get_logger

log = get_logger(__name__)

TIMEOUT_S = 10.0


async def notify(subject: str, body: str) -> bool:
    """Send to the instance's recipients. True if the server has it; why not is logged, and raises nothing."""
    try:
        server = load(EmailSettings).public
    except ConfigurationError as error:
        log.error("mail.not_sent", subject=subject, error=str(error))
        return False
    if server is None:
        log.error("mail.not_sent", subject=subject, error="FRACTAL_EMAIL_* is not configured")
        return False
    message = compose(server, subject, body)
    try:
        await asyncio.to_thread(send, server, message)
    except (OSError, smtplib.SMTPException) as error:
        log.error("mail.not_sent", subject=message["Subject"], error=str(error))
        return False
    return True


def compose(server: MailServer, subject: str, body: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = f"[Fractal, {server.instance_name}] {subject}"
    message["From"] = formataddr((server.sender, server.sender))
    message["To"] = ", ".join(formataddr((recipient, recipient)) for recipient in server.recipients)
    message.set_content(body)
    return message


def send(server: MailServer, message: EmailMessage) -> None:
    """One message to all recipients. With STARTTLS the server's certificate is checked (`SSL_CERT_FILE` adds to it).

    Raises:
        OSError, smtplib.SMTPException: it was not taken.
    """
    with smtplib.SMTP(server.smtp_server, server.port, timeout=TIMEOUT_S) as smtp:
        smtp.ehlo()
        if server.use_starttls:
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        if server.use_login and server.password is not None:
            smtp.login(server.sender, server.password.get_secret_value())
        smtp.send_message(message)
