"""What every command is handed: the client, the output, and where the process stands."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import click

from railyard.cli import lazy
from railyard.cli.output import Output

if TYPE_CHECKING:
    from railyard.client.client import Client


class App:
    """One run of the program."""

    def __init__(self, out: Output | None = None) -> None:
        self.out = out or Output()
        self.url: str | None = None
        self.token: str | None = None
        self.debug = False

    def take(
        self,
        *,
        json_fields: str | None = None,
        url: str | None = None,
        token: str | None = None,
        debug: bool = False,
        quiet: bool = False,
    ) -> None:
        """Takes the common options; those after the command win over those before it."""
        self.out.fields = json_fields if json_fields is not None else self.out.fields
        self.url = url or self.url
        self.token = token or self.token
        self.debug = debug or self.debug
        self.out.quiet = quiet or self.out.quiet

    @cached_property
    def client(self) -> Client:
        """The client of the server that flags, variables and contexts lead to."""
        return lazy.client.Client(self.url, self.token)

    def close(self) -> None:
        """Closes what was opened."""
        if "client" in self.__dict__:
            self.client.close()


pass_app = click.make_pass_decorator(App)
