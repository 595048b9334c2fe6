"""REST: validates, calls queries and domain, answers."""
