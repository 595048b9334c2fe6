"""Postgres: models, engine and sessions. Schemas `auth` and `jobs`; each service writes its own only."""
