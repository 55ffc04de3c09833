"""The databases on PostgreSQL: their addresses, their creation and their migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError

from infra.errors import ServiceError, SettingsError
from infra.secrets import secret
from infra.settings import Settings

DATABASES = ("penchant", "airflow", "mlflow", "feast")
USER = "penchant"
MIGRATIONS = Path(__file__).resolve().parent / "migrations"


def server_url(settings: Settings) -> URL:
    """The PostgreSQL server's address, through psycopg2: the external one, else the embedded one."""
    if settings.postgres_url is None:
        password = secret(settings, "postgres_password")
        return URL.create("postgresql+psycopg2", USER, password, "127.0.0.1", settings.postgres_port, "postgres")
    try:
        url = make_url(settings.postgres_url.get_secret_value())
    except ArgumentError as error:
        raise SettingsError(
            "The setting postgres_url is not an address.", "Use postgresql://user:password@host:5432."
        ) from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError(f"The setting postgres_url names {url.drivername}.", "Only postgresql:// will do.")
    return url.set(drivername="postgresql+psycopg2", database=url.database or "postgres")


def database_url(settings: Settings, name: str) -> URL:
    """The address of one of the platform's databases (``DATABASES``), password included."""
    return server_url(settings).set(database=name)


def engine(settings: Settings, name: str = "penchant") -> Engine:
    """A pool of connections that tests each before use; whoever asks for it disposes of it."""
    return _engine(database_url(settings, name))


def create_databases(settings: Settings) -> list[str]:
    """Create those of ``DATABASES`` that are missing, and say which.

    Raises:
        ServiceError: the server does not answer, or the user may not create databases.
    """
    maintenance = _engine(server_url(settings)).execution_options(isolation_level="AUTOCOMMIT")
    try:
        with maintenance.connect() as connection:
            known = set(connection.scalars(text("SELECT datname FROM pg_database")))
            return [name for name in DATABASES if name not in known and _create(connection, name)]
    except OperationalError as error:
        raise _unreachable(settings, error) from error
    finally:
        maintenance.dispose()


def migrate(settings: Settings) -> None:
    """Bring the tables of the database ``penchant`` to the newest revision; quick when they are."""
    penchant = engine(settings)
    try:
        with penchant.begin() as connection:
            # one at a time, should two processes migrate at once
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('penchant migrations'))"))
            command.upgrade(alembic_config(connection), "head")
    except OperationalError as error:
        raise _unreachable(settings, error) from error
    finally:
        penchant.dispose()


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration without a file, bound to an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _engine(url: URL) -> Engine:
    arguments = {"connect_timeout": 10, "application_name": "penchant"}
    return create_engine(url, pool_pre_ping=True, connect_args=arguments)


def _create(connection: Connection, name: str) -> bool:
    try:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", "") == "42P04":  # another process was first
            return False
        raise ServiceError(
            f"The database {name} cannot be created: {str(error.orig).strip()}.",
            f"Create {', '.join(DATABASES)} by hand, or give the user CREATEDB.",
        ) from error
    return True


@contextmanager
def opened(settings: Settings) -> Iterator[Engine]:
    """The database ``penchant``, disposed of at the end.

    Raises:
        ServiceError: PostgreSQL does not answer, or its tables are not there yet.
    """
    database = engine(settings)
    try:
        yield database
    except OperationalError as error:
        raise _unreachable(settings, error) from error
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", "") != "42P01":  # undefined_table
            raise
        raise ServiceError("The database has no tables yet.", "Make them with 'penchant up'.") from error
    finally:
        database.dispose()


def _unreachable(settings: Settings, error: OperationalError) -> ServiceError:
    url = server_url(settings)
    said = str(error.orig).strip().splitlines()
    return ServiceError(
        f"PostgreSQL at {url.host}:{url.port} does not let us in: {said[-1] if said else error}.",
        "Start it with 'penchant up', or mend PENCHANT_POSTGRES_URL.",
    )
