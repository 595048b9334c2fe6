"""An embedded nats-server: JetStream on disk, synced before it acknowledges, loopback only, two accounts."""

import os

from fractal_server.embedded import binaries
from fractal_server.embedded.children import ChildSpec, answers
from fractal_server.embedded.home import Home

CONFIGURATION = """\
host: 127.0.0.1
port: {port}
jetstream {{
  store_dir: "{store}"
  # Without this an acknowledged message may be lost with the machine: the default syncs every two minutes.
  sync_interval: always
  max_memory_store: 64MB
}}
authorization {{
  users: [
    {{ user: server, password: "{server_password}" }}
    # An agent reads its own commands and publishes events: it can create no consumer and see no other reply.
    {{ user: agent, password: "{agent_password}", permissions: {{
        publish: {{ allow: [
          "fractal.evt.>", "fractal.agent.>", "_INBOX.>",
          "$JS.API.CONSUMER.INFO.FRACTAL_CMD.>", "$JS.API.CONSUMER.MSG.NEXT.FRACTAL_CMD.>", "$JS.ACK.FRACTAL_CMD.>",
          "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.OBJ_FRACTAL_PAYLOADS",
          "$JS.API.STREAM.MSG.GET.OBJ_FRACTAL_PAYLOADS",
          "$JS.API.DIRECT.GET.OBJ_FRACTAL_PAYLOADS.>", "$JS.API.CONSUMER.CREATE.OBJ_FRACTAL_PAYLOADS",
          "$JS.API.CONSUMER.CREATE.OBJ_FRACTAL_PAYLOADS.>",
          "$JS.API.CONSUMER.DELETE.OBJ_FRACTAL_PAYLOADS.>", "$JS.ACK.OBJ_FRACTAL_PAYLOADS.>",
          "$O.FRACTAL_PAYLOADS.>"
        ] }}
        subscribe: {{ allow: ["fractal.rpc.>", "_INBOX.agent.>"] }}
        allow_responses: true
    }} }}
  ]
}}
"""


def spec(home: Home, port: int) -> ChildSpec:
    directory = home.directory("nats")
    directory.mkdir(exist_ok=True)
    file = directory / "nats.conf"
    text = CONFIGURATION.format(
        port=port,
        store=directory / "jetstream",
        server_password=home.secret("nats_server_password"),
        agent_password=home.secret("nats_agent_password"),
    )
    descriptor = os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
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
