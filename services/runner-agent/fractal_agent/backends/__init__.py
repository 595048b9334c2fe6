"""How a batch gets its processes: on this machine, or through a scheduler."""
