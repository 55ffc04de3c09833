"""What serves, and how that changes: the ledger decides, MLflow's aliases follow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.decisions import Decisions, number, plain
from infra.errors import RegistryError
from infra.ledger import Entry, Ledger, seated
from infra.settings import Settings
from infra.tracking import MODEL_NAME
from infra.versions import CHALLENGER, CHAMPION, Version, Versions


class Registry:
    """The registered versions of one model and its ledger; close it, or use it as a context.

    Reading the ledger (``champion``, ``history``) needs PostgreSQL alone.
    """

    def __init__(self, settings: Settings, model: str | None = None) -> None:
        self.versions = Versions(settings, model or MODEL_NAME)
        self.ledger = Ledger(settings, model or MODEL_NAME)
        self._decisions = Decisions(self.ledger, self.versions)

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.ledger.close()

    def champion(self) -> Entry | None:
        """What serves now (``version`` of the entry); None: nothing yet."""
        return self.ledger.champion()

    def history(self) -> list[Entry]:
        """Every decision, oldest first."""
        return self.ledger.entries()

    def register(self, run_id: str, artifact_path: str, tags: Mapping[str, str]) -> int:
        """Make a version out of the bundle that a run logged; tags: see ``infra.versions.Version``."""
        return self.versions.register(run_id, artifact_path, tags)

    def nominate(self, version: int) -> None:
        """Point the alias ``challenger`` to a version that is to be judged."""
        self.versions.point(CHALLENGER, version)

    def download(self, version: int) -> Path:
        """The folder of a version's bundle, fetched once."""
        return self.versions.download(version)

    def first_champion(self, version: int, actor: str, reason: str, verdict: Mapping[str, Any] | None = None) -> Entry:
        """Let a version serve because nothing does yet; if something does, that stays and is returned."""
        candidate = self.versions.get(version)
        with self.ledger.alone():
            self._decisions.finish()
            return self.champion() or self._decisions.decide("first_champion", candidate, None, actor, reason, verdict)

    def promote(
        self,
        version: int,
        actor: str,
        reason: str,
        run_id: str | None = None,
        data_digest: str | None = None,
        verdict: Mapping[str, Any] | None = None,
        *,
        judged_against: int | None = None,
    ) -> Entry:
        """Let ``version`` serve from now on; if it does already, nothing is written.

        Args:
            actor: who decides: a person's or a DAG's name.
            reason: why, in a sentence.
            run_id, data_digest: of the version; by default as its tags say.
            verdict: of the gate, as JSON.
            judged_against: the champion that the decision is about; by default the one of this moment.

        Raises:
            RegistryError: no such version; or another version has come to serve in the meantime.
            ServiceError: MLflow or PostgreSQL does not answer; what served serves on.
        """
        candidate = _told(self.versions.get(version), run_id, data_digest)
        expected = judged_against if judged_against is not None else number(self.champion())
        with self.ledger.alone():
            self._decisions.finish()
            holder = self.champion()
            if holder is not None and holder.version == version:
                return holder
            if number(holder) != expected:
                raise RegistryError(
                    f"Version {version} was judged against version {expected}, but by now {number(holder)} serves.",
                    f"Judge it again: penchant evaluate {version}.",
                )
            return self._decisions.decide("promote", candidate, holder, actor, reason, verdict)

    def reject(
        self,
        version: int,
        actor: str,
        reason: str,
        run_id: str | None = None,
        data_digest: str | None = None,
        verdict: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Write down that ``version`` lost; what serves stays, the alias ``challenger`` too.

        The same rejection twice is written once.
        """
        candidate = _told(self.versions.get(version), run_id, data_digest)
        with self.ledger.alone():
            self._decisions.finish()
            entries = [entry for entry in self.history() if entry.version == version and entry.state == "confirmed"]
            if entries and entries[-1].action == "reject" and entries[-1].verdict == plain(verdict):
                return entries[-1]
            return self._decisions.decide("reject", candidate, self.champion(), actor, reason, verdict)

    def rollback(self, actor: str, reason: str) -> Entry:
        """Let the version before the present champion serve again; again: the one before that.

        Raises:
            RegistryError: nothing served before.
        """
        with self.ledger.alone():
            self._decisions.finish()
            stack = seated(self.history())
            if len(stack) < 2:
                raise RegistryError(
                    "There is no champion before the present one to go back to.", "Promote a version instead."
                )
            before = _told(self.versions.get(stack[-2].version), stack[-2].run_id, stack[-2].data_digest)
            return self._decisions.decide("rollback", before, stack[-1], actor, reason, None)

    def reconcile(self) -> list[str]:
        """Finish decisions that a crash cut short, and point the alias where the ledger says.

        Returns:
            what was mended, a sentence each.
        """
        with self.ledger.alone():
            mended = self._decisions.finish()
            serves, points = number(self.champion()), self.versions.holder(CHAMPION)
            if serves != points:
                self.versions.point(CHAMPION, serves)
                mended.append(f"The alias {CHAMPION} pointed to {points}; the ledger says {serves}.")
        return mended


def _told(version: Version, run_id: str | None, data_digest: str | None) -> Version:
    tags = {**version.tags, "data_digest": data_digest or version.tags.get("data_digest", "")}
    return Version(version.version, run_id or version.run_id, version.model_id, tags)
