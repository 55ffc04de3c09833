"""Airflow's public REST API, as far as the command line drives the scheduler through it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import httpx

from infra.errors import ServiceError

FINISHED: Final = ("success", "failed")


@dataclass(frozen=True)
class DagRun:
    """One run: its partition (None when it has none) and its state."""

    dag_id: str
    run_id: str
    state: str
    partition_key: str | None
    start: datetime | None
    end: datetime | None


@dataclass
class AirflowApi:
    """A client of the API server at ``address``.

    Raises:
        ServiceError: the server does not answer, or refuses; the message holds its answer.
    """

    address: str
    user: str
    password: str = field(repr=False)
    timeout: float = 30.0
    _token: str = field(default="", repr=False)

    def unpause(self, dag_id: str, *, paused: bool = False) -> None:
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, partition_key: str | None = None) -> str:
        """Start a run by hand; returns its run id."""
        body = {"logical_date": None, "conf": conf or {}, "partition_key": partition_key}
        return str(self._call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def backfill(self, dag_id: str, first: date, last: date) -> int:
        """Start runs for the partitions ``first`` to ``last``, both included; returns the backfill's id.

        A backfill of the DAG that is still under way goes on instead: Airflow allows one at a time.
        """
        known = self._call("GET", "/backfills", params={"dag_id": dag_id})["backfills"]
        if active := [found["id"] for found in known if found["completed_at"] is None]:
            return int(active[0])
        body = {
            "dag_id": dag_id,
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last}T00:00:00Z",
            "max_active_runs": 1,
            "reprocess_behavior": "completed",
        }
        return int(self._call("POST", "/backfills", json=body)["id"])

    def runs(self, dag_id: str) -> list[DagRun]:
        """All runs of a DAG, oldest first."""
        return [_run(found) for page in self._pages(f"/dags/{dag_id}/dagRuns", "dag_runs") for found in page]

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str]:
        """State by task of one run."""
        found = self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] or "waiting" for task in found}

    def returned(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task returned."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self._call("GET", path, params={"deserialize": "true"})["value"]

    def log_tail(self, dag_id: str, run_id: str, task_id: str, lines: int = 25) -> str:
        """The last lines of the newest try of a task."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        number = max(1, self._call("GET", path)["try_number"])
        content = self._call("GET", f"{path}/logs/{number}", params={"full_content": "true"}).get("content", [])
        events = [entry.get("event", "") if isinstance(entry, dict) else str(entry) for entry in content]
        return "\n".join("\n".join(events).splitlines()[-lines:])

    def known_dags(self) -> set[str]:
        return {found["dag_id"] for page in self._pages("/dags", "dags") for found in page}

    def import_errors(self) -> dict[str, str]:
        """Stack trace by file of DAG files that do not load."""
        found = self._call("GET", "/importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in found}

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Create a pool, or leave the one that is there as somebody set it."""
        known = {pool["name"] for page in self._pages("/pools", "pools") for pool in page}
        if name not in known:
            self._call("POST", "/pools", json={"name": name, "slots": slots, "description": description})

    def wait(self, condition: Callable[[], Any], seconds: float, what: str, pause: float = 2.0) -> Any:
        """Ask until ``condition`` answers with something true, and return that.

        Raises:
            ServiceError: it did not within ``seconds``.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if answer := condition():
                return answer
            time.sleep(pause)
        raise ServiceError(f"Airflow: {what} took more than {seconds:.0f} s.", f"Look at {self.address}.")

    def _pages(self, path: str, key: str) -> Iterator[list[dict[str, Any]]]:
        offset = 0
        while True:
            answer = self._call("GET", path, params={"limit": 100, "offset": offset})
            yield answer[key]
            offset += 100
            if offset >= answer["total_entries"]:
                return

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self._send(method, f"/api/v2{path}", **options)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token = ""
            answer = self._send(method, f"/api/v2{path}", **options)
        return _content(answer, f"{method} {path}")

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            self._token = self._token or self._log_in()
            headers = {"Authorization": f"Bearer {self._token}"}
            return httpx.request(method, self.address + path, headers=headers, timeout=self.timeout, **options)
        except httpx.TransportError as error:
            raise ServiceError(f"Airflow at {self.address} does not answer: {error}.", "Start it: make up.") from error

    def _log_in(self) -> str:
        body = {"username": self.user, "password": self.password}
        answer = httpx.post(f"{self.address}/auth/token", json=body, timeout=self.timeout)
        return str(_content(answer, "POST /auth/token")["access_token"])


def _content(answer: httpx.Response, call: str) -> dict[str, Any]:
    if answer.is_error:
        raise ServiceError(f"Airflow answered {call} with {answer.status_code}: {answer.text[:500]}.")
    return dict(answer.json()) if answer.content else {}


def _run(found: dict[str, Any]) -> DagRun:
    start, end = (datetime.fromisoformat(found[key]) if found[key] else None for key in ("start_date", "end_date"))
    return DagRun(found["dag_id"], found["dag_run_id"], found["state"], found["partition_key"], start, end)
