"""Lists that are read page by page, as far as somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from railyard.client.html import escaped
from railyard.spec.records import Page

Item = TypeVar("Item", covariant=True)

Fetch = Callable[[str | None, int], "Page[Item]"]


class Pager(Generic[Item]):
    """A lazy list, newest first: iterating reads all of it, page by page; every iteration starts afresh."""

    def __init__(self, fetch: Callable[[str | None, int], Page[Item]], *, limit: int | None = None) -> None:
        self._fetch = fetch
        self._limit = limit

    def __iter__(self) -> Iterator[Item]:
        cursor: str | None = None
        left = self._limit
        while left is None or left > 0:
            page = self._fetch(cursor, 100 if left is None else min(100, left))
            yield from page.items if left is None else page.items[:left]
            left = None if left is None else left - len(page.items)
            cursor = page.next
            if cursor is None:
                return

    def page(self, limit: int = 50, after: str | None = None) -> Page[Item]:
        """One page; its `next` is the `after` of the page that follows."""
        return self._fetch(after, limit)

    def first(self) -> Item | None:
        """The newest item, or None."""
        return next(iter(self._fetch(None, 1).items), None)

    def __repr__(self) -> str:
        page = self._fetch(None, 10)
        more = ["…"] if page.next else []
        return "\n".join([*(repr(item) for item in page.items), *more]) or "(nothing)"

    def _repr_html_(self) -> str:
        page = self._fetch(None, 10)
        rows = "".join(f"<li>{_shown(item)}</li>" for item in page.items)
        return f"<ol>{rows}</ol>{'<p>…</p>' if page.next else ''}" if rows else "<p>(nothing)</p>"


def _shown(item: object) -> str:
    row = getattr(item, "_row_html", None)
    return str(row()) if callable(row) else f"<code>{escaped(repr(item))}</code>"
