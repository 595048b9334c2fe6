"""Directories of datasets, local or in S3."""

import os


def is_below(path: str, base: str) -> bool:
    """Whether `path` is `base` or below it, segment by segment; local and S3 paths never are below each other."""
    if path.startswith("s3://") != base.startswith("s3://"):
        return False
    path, base = normalise(path), normalise(base)
    return path == base or path.startswith(base.rstrip("/") + "/")


def normalise(path: str) -> str:
    """S3 URLs keep their scheme and lose trailing slashes."""
    return path.rstrip("/") if path.startswith("s3://") else os.path.normpath(path)


def join(base: str, *parts: str) -> str:
    return normalise("/".join([base.rstrip("/"), *parts]))
