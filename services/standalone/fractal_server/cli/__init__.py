"""`fractalctl`."""
