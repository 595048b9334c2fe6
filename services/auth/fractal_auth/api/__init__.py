"""REST of the auth service."""
