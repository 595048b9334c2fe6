"""Strings, paths and URLs of requests, with the contract's rules and messages."""

import os
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, StringConstraints, TypeAdapter

FORBIDDEN_IN_COMMANDS = frozenset("`#$&*()\\|[]{};<>?!")
S3_PATTERN = re.compile(r"s3://([^/]+)/(.+)")
S3_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]*[a-z0-9]")
S3_FORBIDDEN_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
S3_FORBIDDEN_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
IPV4_LOOKALIKE = re.compile(r"\d+\.\d+\.\d+\.\d+")
S3_MAX_KEY_BYTES = 1024

NonEmptyStr = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
SafeNonEmptyStr = Annotated[NonEmptyStr, StringConstraints(pattern=r"^([a-zA-Z0-9_. -]+)$")]
PythonVersion = Literal["3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]


def validate_cmd(command: str, *, allow: str = "", label: str = "Command") -> str:
    """Raises ValueError if the text has a character that a shell would interpret (`allow` exempts some)."""
    forbidden = FORBIDDEN_IN_COMMANDS - set(allow)
    if forbidden & set(command):
        raise ValueError(
            f"{label} must not contain any of this characters: '{set(forbidden)}'\n"
            f"Provided {label.lower()}: '{command}'."
        )
    return command


# Pydantic puts the names of the `val_` functions into the `loc` of an error of a union: they are part of the wire.
def val_os_path_normpath(value: str) -> str:
    return os.path.normpath(value)


def val_no_dotdot_in_path(value: str) -> str:
    if ".." in value.split("/"):
        raise ValueError("String must not contain '/../'.")
    return value


def no_nul_character(value: str) -> str:
    """Postgres stores none."""
    if "\0" in value:
        raise ValueError("String must not contain NUL characters.")
    return value


def val_absolute_path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f"String must be an absolute path (given '{value}').")
    return no_nul_character(value)


def _not_absolute(value: str) -> str:
    if value.startswith("/"):
        raise ValueError(f"String must not be an absolute path (given '{value}').")
    return value


def normalise_url(value: str) -> str:
    """An image URL: `/`-paths are normalised, `s3://` ones only lose trailing slashes."""
    if value.startswith("/"):
        return os.path.normpath(value)
    if value.startswith("s3://"):
        return value.rstrip("/")
    raise ValueError("URLs must begin with '/' or 's3://'.")


def val_s3_url(value: str) -> str:
    found = S3_PATTERN.fullmatch(value)
    if found is None:
        raise ValueError(f"S3 URL must match pattern 's3://bucket/key' (given '{value}')")
    bucket, key = found.groups()
    if not 3 <= len(bucket) <= 63:
        raise ValueError(f"S3 bucket name must be between 3 and 63 characters long (given '{bucket}')")
    if not S3_BUCKET.fullmatch(bucket):
        raise ValueError(
            "S3 bucket name must start and end with lowercase letter or number, and contain only lowercase letters, "
            f"numbers, periods, and hyphens (given '{bucket}')"
        )
    if ".." in bucket:
        raise ValueError(f"S3 bucket name must not contain two adjacent periods (given '{bucket}')")
    if IPV4_LOOKALIKE.fullmatch(bucket):
        raise ValueError(f"S3 bucket name must not be formatted as an IP address (given '{bucket}')")
    for position, words, matches in (
        ("start", S3_FORBIDDEN_PREFIXES, bucket.startswith),
        ("end", S3_FORBIDDEN_SUFFIXES, bucket.endswith),
    ):
        if matches(words):
            raise ValueError(f"S3 bucket name must not {position} with {str(words)[1:-1]} (given '{bucket}')")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise ValueError(f"S3 key must contain only valid UTF-8 characters (given '{key}')") from None
    if size > S3_MAX_KEY_BYTES:
        raise ValueError(f"S3 key must not exceed 1024 bytes (given key has {size} bytes)")
    return no_nul_character(value)


def _http_url(value: str) -> str:
    TypeAdapter(AnyHttpUrl).validate_python(value)
    return value


AbsolutePathStr = Annotated[
    NonEmptyStr,
    AfterValidator(val_absolute_path),
    AfterValidator(val_no_dotdot_in_path),
    AfterValidator(val_os_path_normpath),
]
S3PathStr = Annotated[NonEmptyStr, AfterValidator(val_s3_url)]
SafeRelativePathStr = Annotated[
    NonEmptyStr,
    AfterValidator(val_no_dotdot_in_path),
    AfterValidator(val_os_path_normpath),
    AfterValidator(_not_absolute),
    StringConstraints(pattern=r"^([a-zA-Z0-9_. /-]+)$"),
]
ZarrUrlStr = Annotated[NonEmptyStr, AfterValidator(val_no_dotdot_in_path), AfterValidator(normalise_url)]
ZarrDirStr = ZarrUrlStr
HttpUrlStr = Annotated[NonEmptyStr, AfterValidator(_http_url)]
ProjectDir = AbsolutePathStr | S3PathStr
