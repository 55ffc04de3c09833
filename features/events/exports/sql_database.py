"""The database of a SQL source: its address, one view of its rows, and its errors without its password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError, SQLAlchemyError

from infra.errors import PenchantError, ServiceError, SettingsError
from infra.settings import Settings

_DRIVER: Final = "postgresql+psycopg2"
#: A connection that went silent is noticed within a minute.
_POSTGRES: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "application_name": "penchant",
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


def address(settings: Settings) -> URL:
    """The setting ``sql_url`` as SQLAlchemy takes it; PostgreSQL goes through psycopg2 unless it names a driver.

    Raises:
        SettingsError: it is no address; the message does not show it.
    """
    try:
        url = make_url(settings.sql_url.get_secret_value() if settings.sql_url else "")
    except (ArgumentError, ValueError):
        # what went before would show parts of it
        raise _no_address() from None
    if "@" in (url.host or ""):
        raise _no_address()
    return url.set(drivername=_DRIVER) if url.drivername in ("postgresql", "postgres") else url


def shown(url: URL) -> str:
    """The address without its password, and without options, which may hold one."""
    return url.set(query={}).render_as_string()


@contextmanager
def one_view(url: URL) -> Iterator[Connection]:
    """A transaction that only reads, in which every statement sees the same rows.

    Raises:
        ServiceError: the database cannot be reached, or stopped answering.
        SettingsError: it does not understand what it was asked.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            yield _in_one_view(connection)
    except SQLAlchemyError as error:
        raise _failed(url, error) from error
    finally:
        engine.dispose()


def _engine(url: URL) -> Engine:
    arguments = _POSTGRES if url.drivername == _DRIVER else {}
    try:
        return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    except (SQLAlchemyError, ImportError) as error:
        raise SettingsError(
            f"The setting sql_url names {url.drivername}, which cannot be used: {error}.", "Install its driver."
        ) from error


def _in_one_view(connection: Connection) -> Connection:
    driver: Any = connection.connection.driver_connection
    levels = connection.dialect.get_isolation_level_values(driver)
    level: Any = "REPEATABLE READ" if "REPEATABLE READ" in levels else "SERIALIZABLE"
    found = connection.execution_options(isolation_level=level, postgresql_readonly=True)
    if connection.dialect.name == "sqlite":
        # its driver begins a transaction before writes alone
        found.exec_driver_sql("BEGIN")
    return found


def _failed(url: URL, error: SQLAlchemyError) -> PenchantError:
    lines = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()
    said = " ".join(line.strip() for line in lines[:2]).replace(str(url.password or "\n"), "***")
    if isinstance(error, ProgrammingError):
        return SettingsError(f"{shown(url)} cannot answer sql_query: {said}", "Mend sql_query.")
    return ServiceError(
        f"{shown(url)} does not answer: {said}", "Nothing was taken; the next run takes everything from where it was."
    )


def _no_address() -> SettingsError:
    return SettingsError(
        "The setting sql_url is not an address.",
        "Use dialect://user:password@host/database, with signs such as @ in a password written as %40.",
    )
