"""The gateway: one port, path → service."""

import os
from pathlib import Path

from fractal_server.embedded import binaries
from fractal_server.embedded.children import ChildSpec, answers
from fractal_server.embedded.home import Home

CADDYFILE = Path(__file__).with_name("Caddyfile")


def spec(home: Home, *, host: str, port: int, auth_port: int, jobs_ports: list[int]) -> ChildSpec:
    directory = home.directory("caddy")
    directory.mkdir(exist_ok=True)

    async def ready() -> bool:
        return await answers(port)

    argv = [str(binaries.caddy()), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    environment = {
        "FRACTAL_LISTEN": host,
        "FRACTAL_LISTEN_PORT": str(port),
        "FRACTAL_AUTH_SERVERS": f"127.0.0.1:{auth_port}",
        "FRACTAL_JOBS_SERVERS": " ".join(f"127.0.0.1:{number}" for number in jobs_ports),
        "XDG_DATA_HOME": str(directory),
        "XDG_CONFIG_HOME": str(directory),
        "HOME": os.environ.get("HOME", "/"),
    }
    return ChildSpec("gateway", argv, environment, ready=ready)
