"""Objects in any S3 API, read by range: sizes, etags and last bytes. Rows themselves are read by the engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from railyard.compute.data.problems import not_found, storage
from railyard.errors import AttemptError
from railyard.spec.attempt import S3Access

if TYPE_CHECKING:
    from obstore.store import S3Store

RETRIES = 4
"""Tries of one request; beyond them the attempt ends as `storage_unavailable`, which is retried by budget."""


@dataclass(frozen=True)
class ObjectEntry:
    key: str
    size: int
    """In bytes."""
    etag: str | None


@dataclass(frozen=True)
class Bucket:
    """One bucket.

    Every method raises AttemptError: `data_not_found` for no bucket or no right, else `storage_unavailable`.
    """

    name: str
    access: S3Access

    @cached_property
    def _store(self) -> S3Store:
        # obstore takes a tenth of a second to import and only s3:// paths need it.
        from obstore.store import S3Store

        keys: dict[str, Any] = {}
        if self.access.access_key and self.access.secret_key:
            keys = {"access_key_id": self.access.access_key, "secret_access_key": self.access.secret_key}
        if self.access.endpoint:
            keys["endpoint"] = self.access.endpoint
        return S3Store(
            self.name,
            region=self.access.region,
            client_options={"allow_http": self.access.allow_http, "connect_timeout": "5s", "timeout": "60s"},
            retry_config={
                "max_retries": RETRIES,
                "retry_timeout": timedelta(seconds=60),
                "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5), "base": 2},
            },
            **keys,
        )

    def storage_options(self) -> dict[str, str]:
        """The same access in the engine's words."""
        given = {
            "aws_region": self.access.region,
            "aws_allow_http": str(self.access.allow_http).lower(),
            "aws_endpoint_url": self.access.endpoint,
            "aws_access_key_id": self.access.access_key,
            "aws_secret_access_key": self.access.secret_key,
        }
        return {name: value for name, value in given.items() if value is not None}

    def head(self, key: str) -> ObjectEntry | None:
        """Size and etag, or None where there is no such object."""
        try:
            meta = self._store.head(key)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._problem(error, key) from None
        return ObjectEntry(meta["path"], meta["size"], meta["e_tag"])

    def list(self, prefix: str) -> list[ObjectEntry]:
        """Every object below a folder."""
        try:
            found = self._store.list(prefix or None).collect()
        except Exception as error:
            raise self._problem(error, prefix) from None
        return [ObjectEntry(meta["path"], meta["size"], meta["e_tag"]) for meta in found]

    def read(self, key: str, start: int, end: int) -> bytes:
        """The bytes from start to before end."""
        if end <= start:
            return b""
        try:
            return bytes(self._store.get_range(key, start=max(0, start), end=end))
        except FileNotFoundError:
            raise not_found(f"s3://{self.name}/{key} is gone", "check the path", path=key) from None
        except Exception as error:
            raise self._problem(error, key) from None

    def _problem(self, error: Exception, key: str) -> AttemptError:
        uri = f"s3://{self.name}/{key}"
        words = str(error).split("\n\nDebug source")[0]
        where = self.access.endpoint or "AWS"
        refused = type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError") or any(
            code in words for code in ("403 Forbidden", "401 Unauthorized")
        )
        if refused:
            return not_found(
                f"{where} refuses access to {uri}",
                "check the access key, the secret key and what they may read",
                path=uri,
                words=words,
            )
        if "NoSuchBucket" in words or isinstance(error, FileNotFoundError):
            return not_found(
                f"{where} has no bucket {self.name}", "check the name of the bucket and the endpoint", path=uri
            )
        return storage(uri, words)
