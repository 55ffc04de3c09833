"""Every knob of the platform, with its default.

A value comes from, first to last: the environment (``PENCHANT_<NAME>``), ``settings.toml`` in the
home folder, the default here. The home folder itself comes from ``PENCHANT_HOME``, or is
``.penchant`` in the project.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as UnusableSource

from infra.clock import Clock, parse_clock
from infra.errors import SettingsError
from infra.lake import Lake

PROJECT = Path(__file__).resolve().parents[1]

Port = Annotated[int, Field(ge=1, le=65535)]
Days = Annotated[int, Field(ge=1, le=3650)]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Lifetime = Annotated[int, Field(ge=0, le=36_500)]
SparkOption = Annotated[str, Field(pattern=r"^spark\.[A-Za-z0-9._-]+$")]
PORTS = ("postgres_port", "valkey_port", "airflow_port", "mlflow_port", "api_port")

#: Read by ``infra/bootstrap.sh``.
_NOT_OURS = {"PENCHANT_PYTHON"}


class Settings(BaseSettings):
    """All settings; see each field's description."""

    # an input may hold a password
    model_config = SettingsConfigDict(env_prefix="PENCHANT_", extra="forbid", frozen=True, hide_input_in_errors=True)

    home: Path = Field(PROJECT / ".penchant", description="Folder of all state; deleting it forgets everything.")
    clock: str = Field("wall", description="wall, a fixed moment, or MOMENT/ANCHOR (a replayed clock).")
    timezone: str = Field("UTC", description="The shop's time zone: partitions are its days.")
    currency: str = Field("GBP", pattern="^[A-Z]{3}$", description="Currency of prices whose source names none.")

    source: str = Field("online-retail", description="Name of the adapter that reads the shop's deliveries.")

    landing_url: SecretStr | None = Field(
        None,
        description="fsspec URL, such as s3://bucket/landing, from which a day's folder (<source>/dt=DAY) or the "
        "history's (<source>/history) is copied into the landing zone before it is taken.",
    )
    sql_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of a database whose new rows are exported before a delivery is taken."
    )
    sql_query: str = Field("", description="What is read there: a SELECT, or the name of a table, schema.table too.")
    sql_watermark: str = Field("", description="Its column that only grows and is never null: an id, a time of change.")
    sql_overlap: int = Field(
        0,
        ge=0,
        le=1_000_000_000,
        description="How far below the last watermark to read again, for rows that are committed out of order: "
        "a number of ids, or seconds.",
    )

    postgres_url: SecretStr | None = Field(
        None, description="postgresql://user:password@host:port of a server to use instead of the embedded one."
    )
    valkey_url: SecretStr | None = Field(
        None, description="redis://:password@host:port/0 of a server to use instead of the embedded one."
    )
    postgres_port: Port = 15432
    valkey_port: Port = 16379
    airflow_port: Port = 18080
    mlflow_port: Port = 15000
    api_port: Port = 18000

    memory_limit: str = Field(
        "2GB",
        pattern=r"^[1-9]\d*(MB|GB)$",
        description="Memory DuckDB may use before it spills; that of Spark's driver.",
    )
    ingest_memory: str = Field(
        "500MB", pattern=r"^[1-9]\d*(MB|GB)$", description="Memory that taking a delivery may use before it spills."
    )
    engine: Literal["duckdb", "spark"] = Field(
        "duckdb",
        description="What the features are built on: DuckDB, embedded here, or Spark, which needs the extra 'spark'.",
    )
    spark_master: str = Field(
        "local[*]",
        pattern=r"^(local(\[[^]]+\])?|local-cluster\[\d+,\d+,\d+\]|spark://.+|yarn|k8s://.+)$",
        description="Where Spark runs: local[*] in one process, local-cluster[2,1,1024] in 2 of 1 core and 1024 MB, "
        "spark://HOST:7077, yarn or k8s://https://HOST:443. A cluster must reach the home folder under the same path.",
    )
    spark_config: dict[SparkOption, str | int | bool] = Field(
        {}, description='More options of Spark as JSON, such as {"spark.executor.memory": "4g"}.'
    )
    threads: int = Field(2, ge=1, le=256, description="Threads of DuckDB and tasks that Airflow runs at once.")

    window_days: tuple[Days, ...] = Field((1, 7, 30), description="Lengths of the behaviour windows, in days.")
    half_life_days: tuple[Days, ...] = Field((1, 7, 30, 90), description="Half-lives of the decayed interest, in days.")
    tie_backwards: bool = Field(
        False, description="Whether a login also names the guest's events of its session that came before it."
    )
    session_minutes: int = Field(30, ge=1, le=1440, description="A session ends with a pause of so many minutes.")
    basket_items: int = Field(
        20, ge=2, le=500, description="Of a basket so many items count for which are wanted together: its first ones."
    )
    segments: tuple[Literal["country", "campaign", "source"], ...] = Field(
        ("country", "campaign", "source"), min_length=1, description="Columns of events by which users have windows."
    )
    sequence_length: int = Field(50, ge=1, le=1000, description="Events kept in a user's sequence.")
    history_items: int = Field(1000, ge=1, description="Items kept in a user's item history, latest first.")
    late_days: int = Field(30, ge=0, le=3650, description="A row that is later than this many days is quarantined.")
    cleaning: Path | None = Field(
        None, description="YAML file of the cleaning policy; features/events/cleaning/cleaning.yaml is the default."
    )
    unpacked_bytes: int = Field(
        64 << 30,
        ge=1024,
        description="Bytes that a compressed file of a delivery may hold, or a Parquet file; a larger one is refused.",
    )
    history_lag_minutes: int = Field(
        60, ge=0, le=100_000, description="Assumed delay with which bulk history became known."
    )
    gate_history_days: int = Field(28, ge=1, le=3650, description="Past partitions that the gate compares a day with.")
    weekend_days: tuple[Weekday, ...] = Field(
        ("saturday", "sunday"), description="Days of the week on which the gate expects less: its bands are wider."
    )
    holidays: str = Field(
        "", description="Country of the shop's public holidays, on which they are too: GB, or GB-SCT; empty: none."
    )

    # lifetimes by the shop's clock; 0: for ever
    merge_after_days: Lifetime = Field(
        7, description="Days after which the files of a closed day are merged into one; 0: never."
    )
    keep_landing_days: Lifetime = Field(
        365,
        description="Days after a delivery was known that its raw files stay in landing/, once published; 0: for ever.",
    )
    keep_quarantine_days: Lifetime = Field(
        365, description="Days after a published delivery was known that its refused rows stay; 0: for ever."
    )
    keep_reports_days: Lifetime = Field(90, description="Days that data docs and reports stay; 0: for ever.")
    keep_inbox_days: Lifetime = Field(
        30,
        description="Days that rows stay in the inbox, once exported and published; 0: for ever. More than the "
        "features are ever behind: until they are built, answers read the rows.",
    )
    keep_leftovers_hours: int = Field(
        24, ge=1, le=8760, description="Hours that replaced files and what a killed process left stay, by file time."
    )
    online_user_days: Lifetime = Field(
        730,
        description="Days that interest, sequence and history of a user hold after they last changed, for answers "
        "as for training; a user of whom nothing holds leaves the online store, and stays in the files. 0: for ever.",
    )
    merge_days_a_run: int = Field(100, ge=1, description="Days whose files one run of keep merges at most.")
    removals_a_run: int = Field(
        100_000, ge=1, description="Files, folders or rows of each kind that one run of keep removes at most."
    )

    profile_days: Days = Field(28, description="Last closed days over which a profile follows quality and newcomers.")

    fresh_days: Days = Field(7, description="Last closed days, never trained on: a challenger is judged on them.")
    validation_days: Days = Field(14, description="Days before those: they choose the epoch and the baseline.")
    min_improvement: float = Field(0.0, ge=0, lt=1, description="NDCG@10 by which the interval's lower bound must win.")
    min_fresh_moments: int = Field(50, ge=2, description="Fresh moments below which no challenger can win.")
    min_fresh_users: int = Field(30, ge=2, description="Different users among them, below which none can win.")

    skew_sample_share: float = Field(
        0.01, ge=0, le=1, description="Share of the answers whose feature values are kept, to be compared afterwards."
    )
    skew_samples_a_day: int = Field(1000, ge=0, le=1_000_000, description="Answers of a shop day kept at most.")
    skew_limit: float = Field(
        0.0, ge=0, lt=1, description="Share of the compared values that may differ before a day counts as skewed."
    )
    keep_served_days: Lifetime = Field(
        14,
        description="Days that the kept answers stay; 0: for ever. They are compared with rows of the inbox, so no "
        "longer than keep_inbox_days.",
    )

    api_host: str = Field("127.0.0.1", description="Address that the API listens on.")
    api_poll_seconds: float = Field(
        3.0, gt=0, le=3600, description="Seconds between looks at the ledger and the features' age."
    )
    api_timeout_ms: int = Field(500, ge=10, le=60_000, description="How long the API waits for one answer of Valkey.")
    api_body_bytes: int = Field(1_048_576, ge=1024, description="Longest body that the API reads.")
    api_batch_events: int = Field(1000, ge=1, description="Events that one request may bring.")
    api_candidates: int = Field(256, ge=100, le=10_000, description="Items that the model ranks for one answer.")
    clock_tolerance_seconds: int = Field(60, ge=0, description="How far an event may be ahead of the shop's clock.")
    live_events: int = Field(
        500,
        ge=1,
        description="Events of a user since the last closed day that answers see; sequence_length where that is more.",
    )

    @field_validator("window_days", "half_life_days")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or list(value) != sorted(set(value)):
            raise ValueError("name at least one length, each once, the shortest first")
        return value

    @model_validator(mode="after")
    def _ports_of_their_own(self) -> Self:
        taken: dict[int, str] = {}
        for name in PORTS:
            other = taken.setdefault(getattr(self, name), name)
            if other != name:
                raise ValueError(f"{other} and {name} are both {getattr(self, name)}; give each its own")
        return self

    @field_validator("holidays")
    @classmethod
    def _known_country(cls, value: str) -> str:
        if value:
            from holidays import country_holidays  # only whoever names a country waits for it

            country, _, part = value.partition("-")
            try:
                country_holidays(country, subdiv=part or None)
            except NotImplementedError as error:
                raise ValueError(f"{error}; use a code such as GB or GB-SCT") from error
        return value

    @model_validator(mode="after")
    def _something_to_read(self) -> Self:
        if self.sql_url is not None and not (self.sql_query.strip() and self.sql_watermark.strip()):
            raise ValueError("sql_url needs sql_query and sql_watermark: what to read, and how to tell what is new")
        return self

    @field_validator("home")
    @classmethod
    def _plain_home(cls, value: Path) -> Path:
        # readers of Parquet take name=value for a column, DuckDB takes ? for the end of a database's name
        if any(sign in part for part in value.absolute().parts for sign in "=?"):
            raise ValueError("no folder above or in it may have = or ? in its name; choose another place")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder, such as Europe
            raise ValueError("not a time zone; use a name such as Europe/London") from error
        if value.startswith(("posix/", "right/")) or value == "localtime":
            raise ValueError("not a name that a database knows; use one such as Europe/London")
        return value

    @field_validator("clock")
    @classmethod
    def _known_clock(cls, value: str) -> str:
        try:
            parse_clock(value)
        except SettingsError as error:
            raise ValueError(str(error)) from error
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def lake(self) -> Lake:
        return Lake(self.home / "lake")

    @property
    def live_limit(self) -> int:
        """Events of a user since the last closed day that answers see: no less than a sequence of training holds."""
        return max(self.live_events, self.sequence_length)

    def shop_clock(self) -> Clock:
        return parse_clock(self.clock)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic names it)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic names it)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        home = init_settings().get("home") or env_settings().get("home") or PROJECT / ".penchant"
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(home) / "settings.toml")


def load_settings(home: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings of one home folder.

    Args:
        home: the folder of all state; by default ``PENCHANT_HOME`` or ``.penchant`` in the project.
        overrides: settings that win over environment and file.

    Raises:
        SettingsError: a value that cannot be used, named with its field; or a variable that names no setting.
    """
    _require_known(os.environ)
    chosen = Path(home or os.environ.get("PENCHANT_HOME") or PROJECT / ".penchant").absolute()
    try:
        return Settings(home=chosen, **overrides)
    except ValidationError as error:
        lines = [": ".join([*map(str, item["loc"]), item["msg"]]) for item in error.errors()]
        raise SettingsError(
            f"Settings cannot be used: {'; '.join(lines)}.",
            f"Mend them in the environment (PENCHANT_<NAME>) or in {chosen / 'settings.toml'}.",
        ) from error
    except UnusableSource as error:
        raise SettingsError(
            f"A setting of the environment cannot be read: {error}.", "Lists are written as JSON, such as [1, 7, 30]."
        ) from error
    except ValueError as error:
        raise SettingsError(f"{chosen / 'settings.toml'} is not valid TOML: {error}.", "Mend or delete it.") from error


def _require_known(environment: Mapping[str, str]) -> None:
    """A misspelt variable would change nothing, and nobody would know."""
    known = {f"PENCHANT_{name.upper()}" for name in Settings.model_fields} | _NOT_OURS
    for name in sorted(environment):
        if name.upper().startswith("PENCHANT_") and name.upper() not in known:
            near = get_close_matches(name.upper(), known, n=1)
            raise SettingsError(
                f"The environment sets {name}, and there is no such setting.",
                f"Did you mean {near[0]}?" if near else "infra/settings.py lists them all.",
            )
