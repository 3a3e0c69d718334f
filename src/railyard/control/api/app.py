"""The application: every route, one shape of error, and the OpenAPI document that is the contract."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI

from railyard.control.api import errors
from railyard.control.api.middleware import Surround
from railyard.control.api.pages import routes as pages
from railyard.control.api.rooms import Rooms
from railyard.control.api.routes import (
    attempts,
    browser,
    code,
    compute,
    config,
    health,
    jobs,
    models,
    output,
    results,
    tokens,
    workflows,
)
from railyard.version import __version__

DESCRIPTION = """
Train machine-learning models from one declarative request.

Every answer with a status of 400 or more is `{"error": {code, message, why, mend, docs, request_id, fields, detail}}`.
Ids may be shortened to any unique prefix. Lists are pages: `next` is the value for `?after=`.
"""


def create_app(rooms: Rooms) -> FastAPI:
    """The application over these rooms."""
    settings = rooms.configured().settings
    app = _bare(rooms.public_url, settings.max_body_bytes, settings.max_artifact_bytes)
    app.state.rooms = rooms
    return app


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, without a server behind it."""
    return _bare("http://127.0.0.1:8787", 2**20, 2**20).openapi()


def _bare(public_url: str, max_body_bytes: int, max_artifact_bytes: int) -> FastAPI:
    app = _App(
        title="Railyard",
        version=__version__,
        description=DESCRIPTION,
        # The interactive pages fetch scripts from elsewhere: our content policy and an offline machine forbid that.
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        redirect_slashes=False,
    )
    errors.install(app, public_url)
    for router in _routers():
        app.include_router(router)
    app.include_router(pages.router)
    app.add_middleware(
        Surround, public_url=public_url, max_body_bytes=max_body_bytes, max_artifact_bytes=max_artifact_bytes
    )
    return app


class _App(FastAPI):
    """Knows the shape of errors, which operations name by reference."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        schema = errors.ErrorAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= {**schema.pop("$defs", {}), "ErrorAnswer": schema}
        return document


def _routers() -> tuple[APIRouter, ...]:
    return (
        health.open_router,
        health.router,
        browser.router,
        results.compare_router,
        jobs.router,
        output.router,
        results.router,
        workflows.router,
        code.router,
        models.router,
        compute.router,
        config.router,
        tokens.router,
        attempts.router,
    )
