"""How a decision is made whole: written as an intent, carried out in MLflow, confirmed.

Whoever comes after a crash between these steps first finishes what the ledger says, so that no
decision stays half made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from infra.errors import PenchantError, RegistryError
from infra.ledger import SEATING, Entry, Ledger
from infra.versions import CHALLENGER, CHAMPION, Version, Versions


class Decisions:
    """Makes and finishes decisions; whoever calls holds ``Ledger.alone``."""

    def __init__(self, ledger: Ledger, versions: Versions) -> None:
        self._ledger, self._versions = ledger, versions

    def decide(
        self, action: str, version: Version, holder: Entry | None, actor: str, reason: str, verdict: Any
    ) -> Entry:
        """Write the intent, carry it out, confirm it; when MLflow refuses or fails, it has failed."""
        entry = self._ledger.intend(
            actor=actor,
            action=action,
            version=version.version,
            previous_version=number(holder),
            run_id=version.run_id,
            data_digest=version.data_digest,
            reason=reason,
            verdict=plain(verdict),
        )
        try:
            self._carry_out(entry)
        except PenchantError:
            self._ledger.settle(entry, "failed")
            raise
        return self._ledger.settle(entry, "confirmed")

    def finish(self) -> list[str]:
        """Carry out the intents that a crash left behind; one whose version is gone has failed."""
        return [self._finished(entry) for entry in self._ledger.entries() if entry.state == "intent"]

    def _finished(self, entry: Entry) -> str:
        what = f"The decision {entry.id} ({entry.action} of version {entry.version})"
        try:
            self._carry_out(entry)
        except RegistryError as error:
            self._ledger.settle(entry, "failed")
            return f"{what} cannot be carried out: {error.what}"
        self._ledger.settle(entry, "confirmed")
        return f"{what} was cut short and is now carried out."

    def _carry_out(self, entry: Entry) -> None:
        """Move what follows the ledger; doing it twice does no harm."""
        if entry.action in SEATING:
            self._versions.point(CHAMPION, entry.version)
            if self._versions.holder(CHALLENGER) == entry.version:
                self._versions.point(CHALLENGER, None)
        tags = {"decision": entry.action, "decided_by": entry.actor, "verdict_reason": entry.reason}
        if entry.verdict:
            tags["verdict"] = json.dumps(entry.verdict)
        self._versions.tag(entry.version, tags)


def number(entry: Entry | None) -> int | None:
    """The version of an entry, if there is one."""
    return entry.version if entry is not None else None


def plain(verdict: Mapping[str, Any] | None) -> dict[str, Any]:
    """As PostgreSQL's jsonb gives it back."""
    content: dict[str, Any] = json.loads(json.dumps(dict(verdict or {})))
    return content
