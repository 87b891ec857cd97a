"""Published files: taken from a folder, or downloaded into it, and compared with their checksums."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from mlvision.errors import DataCorrupt, DataMissing

_TIMEOUT = 30.0  # seconds without a byte


@dataclass(frozen=True)
class Source:
    """Where data sets lie, whether one may be downloaded, and whether checksums count."""

    root: Path
    download: bool
    verify: bool


def check_md5(path: Path, expected: str) -> None:
    """Compare a file with the published one.

    :raises DataCorrupt: when they differ.
    """
    found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if found != expected:
        raise DataCorrupt(
            f"{path} is not the published file (MD5 {found}, not {expected}). Delete it to have it "
            "downloaded again, or set data.verify to false if it is your own."
        )


def fetch(url: str, path: Path, md5: str, source: Source, what: str) -> None:
    """Download a file whole or not at all; a second process may do the same at the same time.

    :raises DataMissing: when downloads are off, or the address cannot be reached.
    :raises DataCorrupt: when something else came.
    """
    if not source.download:
        raise DataMissing(f"{what} is not in {source.root}, and data.download is off.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".download-", dir=path.parent)
    except OSError as error:
        raise DataMissing(f"{what} cannot be put into {path.parent}: {error.strerror}.") from None
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file, urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
            while part := answer.read(2**20):
                file.write(part)
        check_md5(temporary, md5)
        temporary.replace(path)
    except (urllib.error.URLError, HTTPException, OSError) as error:
        cause = getattr(error, "reason", None) or error
        raise DataMissing(
            f"{what} is not in {source.root}, and {url} cannot be downloaded ({cause}). Without a "
            "network, put its files there, or train on digits, which needs none."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
