"""An embedded nats-server, on loopback only."""

import os
import shutil
from pathlib import Path

from fractal_server.embedded import binaries
from fractal_server.embedded.children import ChildSpec, answers
from fractal_server.embedded.home import Home

CONFIGURATION = Path(__file__).with_name("nats.conf")
SITE = """\
LISTEN: "{listen}"
STORE: "{store}"
SERVER_PASSWORD: "{server_password}"
AGENT_PASSWORD: "{agent_password}"
"""


def spec(home: Home, port: int) -> ChildSpec:
    directory = home.directory("nats")
    (directory / "site").mkdir(mode=0o700, parents=True, exist_ok=True)
    file = directory / "nats.conf"
    shutil.copyfile(CONFIGURATION, file)
    text = SITE.format(
        listen=f"127.0.0.1:{port}",
        store=directory / "jetstream",
        server_password=home.secret("nats_server_password"),
        agent_password=home.secret("nats_agent_password"),
    )
    descriptor = os.open(directory / "site" / "site.conf", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)

    async def ready() -> bool:
        return await answers(port)

    return ChildSpec("nats", [str(binaries.nats_server()), "-c", str(file)], ready=ready)


def environment(home: Home, port: int, user: str = "server") -> dict[str, str]:
    """`user` is `server` or `agent`."""
    return {
        "FRACTAL_NATS_URL": f"nats://127.0.0.1:{port}",
        "FRACTAL_NATS_USER": user,
        "FRACTAL_NATS_PASSWORD": home.secret(f"nats_{user}_password"),
    }
