"""The gateway: one port, path → service."""

import os

from fractal_server.embedded import binaries
from fractal_server.embedded.children import ChildSpec, answers
from fractal_server.embedded.home import Home

CADDYFILE = """\
{{
	admin off
	auto_https off
	persist_config off
	grace_period 10s
	log {{
		level WARN
	}}
}}

http://{host}:{port} {{
	request_body {{
		max_size 200MB
	}}
	handle /auth/* {{
		reverse_proxy 127.0.0.1:{auth_port} {{
			flush_interval -1
			lb_try_duration 5s
		}}
	}}
	handle {{
		reverse_proxy {jobs} {{
			flush_interval -1
			lb_try_duration 5s
		}}
	}}
}}
"""


def spec(home: Home, *, host: str, port: int, auth_port: int, jobs_ports: list[int]) -> ChildSpec:
    """A request that finds its service restarting is tried again for five seconds."""
    directory = home.directory("caddy")
    directory.mkdir(exist_ok=True)
    file = directory / "Caddyfile"
    jobs = " ".join(f"127.0.0.1:{number}" for number in jobs_ports)
    file.write_text(CADDYFILE.format(host=host, port=port, auth_port=auth_port, jobs=jobs))

    async def ready() -> bool:
        return await answers(port)

    argv = [str(binaries.caddy()), "run", "--config", str(file), "--adapter", "caddyfile"]
    environment = {
        "XDG_DATA_HOME": str(directory),
        "XDG_CONFIG_HOME": str(directory),
        "HOME": os.environ.get("HOME", "/"),
    }
    return ChildSpec("gateway", argv, environment, ready=ready)
