"""Directories of datasets, local or in S3."""

import os
from collections.abc import Callable


def is_below(path: str, base: str) -> bool:
    """Whether `path` is `base` or below it, segment by segment; local and S3 paths never are below each other."""
    return below(base)(normalise(path))


def below(base: str) -> Callable[[str], bool]:
    """The same question for many paths, which are normalised already."""
    base = normalise(base)
    inside = base.rstrip("/") + "/"
    return lambda path: path == base or path.startswith(inside)


def normalise(path: str) -> str:
    """S3 URLs keep their scheme and lose trailing slashes."""
    return path.rstrip("/") if path.startswith("s3://") else os.path.normpath(path)


def join(base: str, *parts: str) -> str:
    return normalise("/".join([base.rstrip("/"), *parts]))
