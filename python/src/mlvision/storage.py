"""Where a run keeps what must outlive its process and its machine: a folder, or an ``s3://`` address.

Both hold flat names and write a file whole or not at all. S3 is reached as MLflow reaches it: with the
variables of AWS, and ``MLFLOW_S3_ENDPOINT_URL`` for a store that is not Amazon's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any, Protocol, cast

from mlvision.errors import TrainingError

Place = Path | str
"""A folder, or an address ``s3://bucket/prefix``."""


class StorageFailed(TrainingError):
    """The bucket is not there, does not let us in, or does not answer."""


class Storage(Protocol):
    """Files by name."""

    def names(self, start: str) -> list[str]:
        """Give the names that begin so, in their order."""
        ...

    def read(self, name: str) -> bytes | None:
        """Give a file, ``None`` when there is none of that name."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file, in place of the one that was there; once this returns it is safe."""
        ...

    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file, which is made when it is missing."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        ...

    def where(self, name: str) -> str:
        """Say for people where a file lies."""
        ...


def open_storage(place: Place, *, attempts: int = 6) -> Storage:
    """Give the storage at a place; a folder is made when it is first written to.

    ``attempts`` is how often a bucket is asked that does not answer.
    """
    if isinstance(place, str) and "://" in place:
        return _Bucket(place, attempts)
    return _Folder(Path(place))


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self, start: str) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.name.startswith(start))

    def read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # The dot keeps what was cut off out of every list of names.
        temporary = self._folder / f".{name}.{os.getpid()}.tmp"
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._folder / name)
        finally:
            # After a full disk, say: half a file would only take the room that is missing.
            temporary.unlink(missing_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def append(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / name).open("ab") as file:
            file.write(content)

    def remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)

    def where(self, name: str) -> str:
        return str(self._folder / name)


class _Bucket:
    def __init__(self, address: str, attempts: int) -> None:
        scheme, _, rest = address.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise StorageFailed(f"{address} is neither a folder nor an address such as s3://bucket/folder.")
        # Imported by those who need it: it costs a quarter of a second.
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        self._bucket, self._prefix = bucket, prefix.strip("/")
        self._address = address.rstrip("/")
        self._errors = (BotoCoreError, ClientError)
        with self._named():
            self._client = (
                cast("Any", boto3)
                .session.Session()
                .client(
                    "s3",
                    endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None,
                    verify=False if os.environ.get("MLFLOW_S3_IGNORE_TLS", "").lower() in {"1", "true"} else None,
                    config=Config(retries={"mode": "standard", "total_max_attempts": attempts}, connect_timeout=10),
                )
            )

    def names(self, start: str) -> list[str]:
        prefix = self._key("")
        found: list[str] = []
        with self._named():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix + start):
                found += [str(entry["Key"])[len(prefix) :] for entry in page.get("Contents", [])]
        return sorted(name for name in found if "/" not in name)

    def read(self, name: str) -> bytes | None:
        with self._named():
            try:
                return self._client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return None

    def write(self, name: str, content: bytes) -> None:
        with self._named():
            self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=content)

    def append(self, name: str, content: bytes) -> None:
        self.write(name, (self.read(name) or b"") + content)

    def remove(self, name: str) -> None:
        with self._named():
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def where(self, name: str) -> str:
        return f"{self._address}/{name}" if name else self._address

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @contextlib.contextmanager
    def _named(self) -> Generator[None]:
        try:
            yield
        except self._errors as error:
            raise StorageFailed(f"{self._address} cannot be used: {error}") from error
