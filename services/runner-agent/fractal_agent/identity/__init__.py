"""Who an agent may act as, how it does, and the record of it."""
