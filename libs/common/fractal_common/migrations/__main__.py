"""`python -m fractal_common.migrations`: migrate the configured database to the newest revision."""

from fractal_common.migrations import upgrade

upgrade()
