"""A real SMTP server (aiosmtpd) as a process of its own: what it takes is in a folder."""

import mailbox
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from tests.processes import free_port, running, until

SENDER, RECIPIENTS = "fractal@example.org", ("admin@example.org", "second@example.org")


@dataclass(frozen=True)
class MailServer:
    port: int
    folder: Path
    certificate: Path

    def messages(self) -> list[Message]:
        box = mailbox.Maildir(self.folder / "box", create=False)
        return [box[key] for key in sorted(box.keys())]

    @property
    def settings(self) -> dict[str, str]:
        """Of an instance that sends through it."""
        return {
            "FRACTAL_EMAIL_SENDER": SENDER,
            "FRACTAL_EMAIL_SMTP_SERVER": "127.0.0.1",
            "FRACTAL_EMAIL_SMTP_PORT": str(self.port),
            "FRACTAL_EMAIL_INSTANCE_NAME": "test instance",
            "FRACTAL_EMAIL_RECIPIENTS": ",".join(RECIPIENTS),
            "FRACTAL_EMAIL_USE_STARTTLS": "true",
            "FRACTAL_EMAIL_USE_LOGIN": "false",
            "SSL_CERT_FILE": str(self.certificate),
        }


def certificate(folder: Path) -> tuple[Path, Path]:
    """Certificate and key of 127.0.0.1."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    argv += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    return cert, key


@contextmanager
def smtp_server(folder: Path, environment: dict[str, str]) -> Generator[MailServer]:
    """Takes mail after STARTTLS only."""
    cert, key = certificate(folder)
    port = free_port()
    argv = [sys.executable, "-m", "aiosmtpd", "--nosetuid", "--listen", f"127.0.0.1:{port}"]
    argv += ["--tlscert", str(cert), "--tlskey", str(key)]
    argv += ["--class", "aiosmtpd.handlers.Mailbox", str(folder / "box")]
    with running(argv, cwd=folder, environment=environment):
        until(lambda: (folder / "box" / "new").is_dir(), "the mail server is ready")
        yield MailServer(port, folder, cert)
