"""What training measured and validation judges: figures per moment, one table a model, in the lake."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from infra.errors import RegistryError
from infra.lake import Lake, read_json, write_json, written_aside

MOMENT_ID: Final = "moment_id"
EVALUATED_USER: Final = "user_id"
NDCG_10: Final = "ndcg_10"
RECALL_10: Final = "recall_10"
HIT_10: Final = "hit_10"
MRR: Final = "mrr"
MEASURES: Final = (NDCG_10, RECALL_10, HIT_10, MRR)

#: One row a moment, sorted by moment.
EVALUATION: Final = pa.schema(
    [
        pa.field(MOMENT_ID, pa.string(), nullable=False),
        pa.field(EVALUATED_USER, pa.string(), nullable=False),
        *(pa.field(measure, pa.float64(), nullable=False) for measure in MEASURES),
    ]
)
_ROLES: Final = "roles.json"


def named(model: str, version: int | None) -> str:
    """How a model is called beside others."""
    return model if version is None else f"{model} v{version}"


@dataclass(frozen=True)
class Measured:
    """One model and its figures per moment (schema ``EVALUATION``).

    Attributes:
        version: None: a baseline that is not registered, made again from the numbers that were chosen for it.
    """

    model: str
    version: int | None
    moments: pa.Table

    @property
    def label(self) -> str:
        """Such as ``dien v2``."""
        return named(self.model, self.version)


@dataclass(frozen=True)
class Evaluation:
    """Everything that a verdict rests on, all over the same moments.

    Attributes:
        split: the days measured: ``fresh`` or ``validation``.
        champion: None when nothing serves yet.
        baselines: what the challenger must beat too.
    """

    id: str
    split: str
    challenger: Measured
    champion: Measured | None
    baselines: tuple[Measured, ...]


def save_evaluation(lake: Lake, evaluation: Evaluation) -> None:
    """Write all tables at once; the same id replaces what it held."""
    champion = [evaluation.champion] if evaluation.champion else []
    groups = {"challenger": [evaluation.challenger], "champion": champion, "baselines": list(evaluation.baselines)}
    with written_aside(lake.evaluation(evaluation.id)) as folder:
        folder.mkdir()
        for measured in (measured for group in groups.values() for measured in group):
            pq.write_table(measured.moments.cast(EVALUATION), folder / _file(measured))
        roles = {
            name: [{"model": one.model, "version": one.version} for one in group] for name, group in groups.items()
        }
        write_json(folder / _ROLES, {"split": evaluation.split, **roles})


def load_evaluation(lake: Lake, evaluation_id: str) -> Evaluation:
    """Read back what ``save_evaluation`` wrote.

    Raises:
        RegistryError: there is no such evaluation.
    """
    folder = lake.evaluation(evaluation_id)
    if not (folder / _ROLES).exists():
        raise RegistryError(
            f"There is no evaluation {evaluation_id} in {folder.parent}.", "Evaluate the version again."
        )
    roles = read_json(folder / _ROLES)
    groups = {name: [_read(folder, one) for one in roles[name]] for name in ("challenger", "champion", "baselines")}
    champion = groups["champion"][0] if groups["champion"] else None
    return Evaluation(evaluation_id, roles["split"], groups["challenger"][0], champion, tuple(groups["baselines"]))


def _read(folder: Path, role: dict[str, Any]) -> Measured:
    measured = Measured(role["model"], role["version"], EVALUATION.empty_table())
    return replace(measured, moments=pq.read_table(folder / _file(measured)))


def _file(measured: Measured) -> str:
    return f"{measured.label.replace(' ', '-')}.parquet"
