"""Where the names in a request's data block lead on this installation: buckets, the object store, SQL connections."""

from __future__ import annotations

from railyard.errors import ConfigurationError, Invalid, Unavailable, nearest
from railyard.settings import Settings
from railyard.spec.attempt import DataAccess
from railyard.spec.records import FieldProblem
from railyard.spec.request import TrainingRequest


def data_access(request: TrainingRequest, settings: Settings) -> DataAccess:
    """What the request needs and no more: of the connections only those it names, with their passwords.

    Raises Invalid `unknown_connection`; Unavailable `configuration` where a reference leads nowhere.
    """
    names = [source.connection for source in request.data.features if source.connection is not None]
    check_connections(request, settings)
    try:
        return settings.data_access(names)
    except ConfigurationError as error:
        raise Unavailable(
            f"the server cannot reach the request's data: {error.message}", code="configuration", mend=error.mend
        ) from None


def check_connections(request: TrainingRequest, settings: Settings) -> None:
    """Raises Invalid where the request names a SQL connection that the settings do not have."""
    problems = [
        FieldProblem(
            path=f"data.features[{index}].connection",
            expected=f"one of {', '.join(settings.connections)}" if settings.connections else "a configured connection",
            got=f'"{source.connection}"',
            nearest=nearest(source.connection, settings.connections),
        )
        for index, source in enumerate(request.data.features)
        if source.connection is not None and source.connection not in settings.connections
    ]
    if problems:
        raise Invalid(
            "the request names a SQL connection that this server does not have",
            code="unknown_connection",
            fields=problems,
            mend="an operator adds it to railyard.toml under [connections]",
        )
