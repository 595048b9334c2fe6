"""What the services share: settings, database, messages, bus, security, HTTP plumbing, telemetry."""

REFERENCE_VERSION = "2.24.2"
"""Release of the public REST contract that this server answers with (`/api/alive/`, job and activity rows)."""
