"""railyard api"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from railyard.cli import lazy, values
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


@command(
    "api",
    json=False,
    examples=[
        "railyard api GET /v1/jobs -F state=failed --paginate",
        "railyard api POST /v1/jobs/j81f3k2abq/rerun -F latest=true",
        "railyard api POST /v1/jobs --input request.json",
    ],
    short_help="Call any path of the API, signed in.",
)
@click.argument("method", type=click.Choice(_METHODS, case_sensitive=False))
@click.argument("path")
@click.option(
    "-F",
    "--field",
    "fields",
    multiple=True,
    metavar="K=V",
    help="A query parameter of a GET, else a key of the JSON body.",
)
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header.")
@click.option(
    "--input", "source", type=click.Path(allow_dash=True, path_type=Path), help="The body: a file, or - for stdin."
)
@click.option("--paginate", is_flag=True, help="Read all pages of a list; one JSON object a line.")
@pass_app
def api(
    app: App,
    method: str,
    path: str,
    fields: tuple[str, ...],
    headers: tuple[str, ...],
    source: Path | None,
    paginate: bool,
) -> None:
    """Call any path of the API with your address and token, and print the answer."""
    method, path = method.upper(), path if path.startswith("/") else f"/{path}"
    given = values.pairs(fields, "-F")
    sent = dict(_header(text) for text in headers)
    if source is not None and given:
        raise click.UsageError("--input and -F exclude each other")
    body = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes() if source else None
    if body is not None:
        sent.setdefault("content-type", "application/json")
    in_query = method in ("GET", "DELETE")
    query = (
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}
        if in_query
        else {}
    )
    if paginate:
        if method != "GET":
            raise click.UsageError("--paginate belongs to GET")
        _pages(app, path, query, sent)
        return
    answer = app.client.transport.request(
        method,
        path,
        query=query,
        json=None if in_query or body is not None or not given else given,
        content=body,
        headers=sent,
    )
    app.out.raw(answer.content)
    if app.out.tty and answer.content and not answer.content.endswith(b"\n"):
        app.out.line()


def _pages(app: App, path: str, query: dict[str, str], headers: dict[str, str]) -> None:
    after: Any = None
    while True:
        page = app.client.transport.request(
            "GET", path, query={**query, "after": after or query.get("after")}, headers=headers
        ).json()
        if not isinstance(page, dict) or "items" not in page:
            raise lazy.errors.Invalid(
                f"{path} is no list", why="a list answers with items and next", mend="leave out --paginate"
            )
        for item in page["items"]:
            app.out.line(json.dumps(item, ensure_ascii=False))
        after = page.get("next")
        if after is None:
            return


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.UsageError(f"-H {text!r}: expected NAME:VALUE")
    return name.strip().lower(), value.strip()
