"""The only place with SQL. Statements are set-based: none is issued once a row."""
