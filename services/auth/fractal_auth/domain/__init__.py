"""Rules about accounts, without input or output."""
