"""Versions of a package on the index that pip is configured with."""

import configparser
import os
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from fastapi import HTTPException
from fractal_common.settings import JobsApiSettings, load
from packaging.version import InvalidVersion, Version

INDEX_TIMEOUT_S = 5.0
ACCEPT = "application/vnd.pypi.simple.v1+json"
PUBLIC_INDEX = "https://pypi.org/simple"


@cache
def index_url() -> str:
    """From our settings, pip's or uv's environment, pip's files, or the public index."""
    named = load(JobsApiSettings).FRACTAL_PACKAGE_INDEX_URL
    for candidate in (named, os.environ.get("PIP_INDEX_URL"), os.environ.get("UV_DEFAULT_INDEX")):
        if candidate:
            return candidate.rstrip("/")
    parser = configparser.ConfigParser(interpolation=None)
    files = [Path("/etc/pip.conf"), Path.home() / ".pip" / "pip.conf", Path.home() / ".config" / "pip" / "pip.conf"]
    parser.read([file for file in files if file.is_file()])
    return parser.get("global", "index-url", fallback=PUBLIC_INDEX).rstrip("/")


async def resolve_version(package: str, normalised: str, wanted: str | None) -> str:
    """The version asked for if listed, the greatest that starts with it, or the newest of all.

    Raises:
        HTTPException: 422 with the contract's texts.
    """
    url = f"{index_url()}/{normalised}/"
    hint = f"Hint: specify the required version for '{package}'."
    versions = await _versions(url, hint)
    if wanted is None:
        try:
            return max(versions, key=Version)
        except (InvalidVersion, ValueError) as error:
            raise HTTPException(422, f"Cannot find latest version (original error: {error}).") from None
    if wanted in versions:
        return wanted
    matching = [version for version in versions if version.startswith(wanted)]
    if not matching:
        raise HTTPException(422, f"No version starting with {wanted} found.\n{hint}")
    return max(matching)


async def _versions(address: str, hint: str) -> list[str]:
    # As messages show it: without the credentials that an index may need.
    url = httpx.URL(address).copy_with(userinfo=b"")
    try:
        async with httpx.AsyncClient(timeout=INDEX_TIMEOUT_S, follow_redirects=True) as client:
            answer = await client.get(address, headers={"Accept": ACCEPT})
    except httpx.TimeoutException as error:
        raise HTTPException(
            422, f"A TimeoutException occurred while getting {url}.\nOriginal error: {error}."
        ) from None
    except httpx.HTTPError as error:
        raise HTTPException(422, f"An unknown error occurred while getting {url}. Original error: {error}.") from None
    if not answer.is_success:
        raise HTTPException(422, f"Could not get {url} (status_code {answer.status_code}).\n{hint}")
    try:
        document: dict[str, Any] = answer.json()
        return [str(version) for version in document["versions"]]
    except (ValueError, KeyError):
        raise HTTPException(422, f"A KeyError error occurred while getting {url}.\n{hint}") from None
