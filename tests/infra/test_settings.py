from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.settings import PROJECT, load_settings


def test_the_home_is_in_the_project_by_default() -> None:
    assert load_settings().home == PROJECT / ".penchant"


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text('timezone = "Europe/London"\nthreads = 3\n')
    monkeypatch.setenv("PENCHANT_THREADS", "5")
    found = load_settings(tmp_path)
    assert (found.timezone, found.threads, found.currency) == ("Europe/London", 5, "GBP")


def test_answers_see_as_many_events_as_a_sequence_of_training_holds(tmp_path: Path) -> None:
    assert [load_settings(tmp_path, sequence_length=length).live_limit for length in (50, 1000)] == [500, 1000]


def test_the_environment_names_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path))
    (tmp_path / "settings.toml").write_text("threads = 7\n")
    assert load_settings().threads == 7


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('timezone = "Mars/Olympus"', "timezone"),
        ('clock = "noon"', "clock"),
        ('timezone = "Europe"', "timezone"),
        ('timezone = "posix/Europe/London"', "timezone"),
        ("postgres_port = 70000", "postgres_port"),
        ('engine = "flink"', "engine"),
        ('spark_master = "mesos://host"', "spark_master"),
        ("spark_config = {threads = 2}", "spark_config"),
        ('memory_limit = "lots"', "memory_limit"),
        ("treads = 2", "treads"),
        ("threads = ", "not valid TOML"),
        ("threads = 100000", "threads"),
        ("window_days = [7, 7]", "window_days: .*each once"),
        ("window_days = []", "window_days"),
        ("half_life_days = [30, 7]", "half_life_days: .*shortest first"),
        ("late_days = 10000000", "late_days"),
        ("merge_after_days = -1", "merge_after_days"),
        ("keep_landing_days = -1", "keep_landing_days"),
        ("keep_quarantine_days = 1.5", "keep_quarantine_days"),
        ('keep_reports_days = "a while"', "keep_reports_days"),
        ("keep_inbox_days = 100000", "keep_inbox_days"),
        ("keep_leftovers_hours = 0", "keep_leftovers_hours"),
        ("merge_days_a_run = 0", "merge_days_a_run"),
        ("removals_a_run = 0", "removals_a_run"),
        ('weekend_days = ["Sun"]', "weekend_days"),
        ('holidays = "Mars"', "holidays: .*such as GB"),
        ('holidays = "GB-MARS"', "holidays: .*such as GB"),
        ("min_improvement = nan", "min_improvement"),
        ("skew_sample_share = 1.5", "skew_sample_share"),
        ("skew_samples_a_day = -1", "skew_samples_a_day"),
        ("skew_limit = 1", "skew_limit"),
        ("keep_served_days = -1", "keep_served_days"),
        ("api_poll_seconds = inf", "api_poll_seconds"),
        ('memory_limit = "0MB"', "memory_limit"),
        ("api_port = 18080", "airflow_port and api_port are both 18080"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, content: str, named: str) -> None:
    (tmp_path / "settings.toml").write_text(content)
    with pytest.raises(SettingsError, match=named) as refused:
        load_settings(tmp_path)
    assert refused.value.mend


def test_a_list_that_is_none_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_WINDOW_DAYS", "1,7")
    with pytest.raises(SettingsError, match="window_days") as refused:
        load_settings()
    assert "[1, 7, 30]" in refused.value.mend


def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_TIMEZON", "Europe/London")
    with pytest.raises(SettingsError, match="PENCHANT_TIMEZON") as refused:
        load_settings()
    assert "PENCHANT_TIMEZONE" in refused.value.mend


def test_passwords_in_addresses_are_not_shown(tmp_path: Path) -> None:
    found = load_settings(tmp_path, postgres_url="postgresql://me:hidden@db")
    assert "hidden" not in repr(found) + str(found.model_dump())


def test_a_database_to_read_needs_a_query_and_a_watermark(tmp_path: Path) -> None:
    url = "postgresql://me:hidden@db"
    with pytest.raises(SettingsError, match="sql_url needs sql_query and sql_watermark") as refused:
        load_settings(tmp_path, sql_url=url)
    with pytest.raises(SettingsError, match="sql_url needs"):
        load_settings(tmp_path, sql_url=url, sql_query="clicks", sql_watermark=" ")
    assert "hidden" not in "".join(traceback.format_exception(refused.value))


def test_loading_makes_nothing(tmp_path: Path) -> None:
    load_settings(tmp_path / "home")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["dt=2020-01-01", "brand=acme", "what?"])
def test_a_home_that_readers_would_take_for_data_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"home: .*may have = or \? in its name"):
        load_settings(tmp_path / name / "home")
