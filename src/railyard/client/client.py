"""`railyard.Client`: everything a program can ask of a server."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from railyard.client import context
from railyard.client.code import pack
from railyard.client.deploy import Code
from railyard.client.job import Job
from railyard.client.jobs import Jobs
from railyard.client.requests import Draft, RequestSource, load
from railyard.client.rooms import Compute, Models, Server, Tokens, Workflows
from railyard.client.transport import Transport
from railyard.errors import NotFound
from railyard.spec.records import Plan, Whoami

if TYPE_CHECKING:
    import httpx2


class Client:
    """A server, with the rights of a token.

    Without arguments: RAILYARD_URL and RAILYARD_TOKEN, else the context that `railyard up` or `railyard login` wrote.
    Makes no call before it has to.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        http: httpx2.BaseTransport | None = None,
    ) -> None:
        """`timeout` is seconds without a sign of life; `http` replaces the network, for tests."""
        self.target = context.resolve(url, token)
        self.transport = Transport(self.target.url, self.target.token, timeout=timeout, http=http)
        self.jobs = Jobs(self.transport)
        self.models = Models(self.transport)
        self.workflows = Workflows(self.transport)
        self.code = Code(self.transport)
        self.tokens = Tokens(self.transport)
        self.compute = Compute(self.transport)
        self.server = Server(self.transport)

    def __repr__(self) -> str:
        return f"Client({self.target.url!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self.transport.close()

    def whoami(self) -> Whoami:
        """Who the token belongs to, and what server this is."""
        return self.server.whoami()

    @overload
    def train(
        self,
        request: RequestSource,
        *,
        code: str | Path | None = None,
        custom_params: Mapping[str, Any] | None = None,
        compute_resource: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        dry_run: Literal[False] = False,
    ) -> Job: ...

    @overload
    def train(
        self,
        request: RequestSource,
        *,
        code: str | Path | None = None,
        custom_params: Mapping[str, Any] | None = None,
        compute_resource: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        dry_run: Literal[True],
    ) -> Plan: ...

    def train(
        self,
        request: RequestSource,
        *,
        code: str | Path | None = None,
        custom_params: Mapping[str, Any] | None = None,
        compute_resource: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> Job | Plan:
        """Submits a training request: a path, JSON text (`//` comments are welcome), a dict or a TrainingRequest.

        `code` is the folder of a code project, which is sent along, or the name of a code version (`c…`,
        `project@version`). Without it the project that the request's file lies in is sent along; a request that names
        its code, or lies in no project, runs the newest deployed code that holds its workflow.
        `custom_params` sets single parameters, whole values; `overrides` is a JSON merge patch over the request.
        With `dry_run` nothing is submitted, and a Plan says what would run, read, take and cost.

        Raises Invalid with `.fields`, NotFound for a workflow, class or code that is not there, and others of the tree.
        """
        draft = self.prepare(
            request, code=code, custom_params=custom_params, compute_resource=compute_resource, overrides=overrides
        )
        if dry_run:
            return self.jobs.plan(draft.text)
        return self.jobs.submit(draft.text, idempotency_key=idempotency_key or new_key())

    def prepare(
        self,
        request: RequestSource,
        *,
        code: str | Path | None = None,
        custom_params: Mapping[str, Any] | None = None,
        compute_resource: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Draft:
        """The request as `train` would send it; its code project is sent along, what that leaves out is warned of."""
        return self.send_code(amended(load(request), custom_params, compute_resource, overrides), code)

    def send_code(self, draft: Draft, code: str | Path | None = None) -> Draft:
        """Sends the code project that belongs to a request, and names it in the request."""
        folder = code if code is not None else draft.folder if "code" not in draft.value else None
        if folder is None:
            return draft
        if code is not None and not Path(code).expanduser().is_dir():
            return draft.with_code(str(code))
        try:
            packed = pack(folder)
        except NotFound:
            if code is not None:
                raise
            return draft
        for warning in packed.warnings:
            warnings.warn(warning, stacklevel=4)
        return draft.with_code(self.code.upload(packed).code_id)


def amended(
    draft: Draft,
    custom_params: Mapping[str, Any] | None = None,
    compute_resource: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Draft:
    """A request with what a caller changes about it."""
    draft = draft.amended(overrides or {})
    for name, value in (custom_params or {}).items():
        draft = draft.replaced(("train", "custom_params", name), value)
    return draft.replaced(("compute_resource",), compute_resource) if compute_resource else draft


def new_key() -> str:
    """A fresh idempotency key: what makes a submit safe to send again."""
    return uuid.uuid4().hex
