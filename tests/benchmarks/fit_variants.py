"""What the choices in fitting DIEN are worth, against buy-again on the validation days; a JSON line a fit.

    python tests/benchmarks/fit_variants.py [--seeds 1,2] [--home .penchant]

Needs a home in which a model was trained (``make demo``): it takes the newest snapshot there. About a
minute and a half a fit on two cores. Moments are those of returning users, the whole catalogue is
ranked; the standard error is of the mean difference over moments.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from infra.settings import load_settings
from training.contenders import contender
from training.dataset import Dataset
from training.evaluate import rank
from training.fit import FitSettings, fit
from training.metrics import per_moment
from training.score import score_all
from training.snapshot import Snapshot

VARIANTS: dict[str, dict[str, Any]] = {
    "as decided": {},
    "cross-entropy": {"power": 0.0},
    "half of the days": {"learned_share": 0.5},
}
BUY_AGAIN = {"days": 7, "half_life": 60.0, "popularity": 1.0}  # what the validation days choose on the sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--home", type=Path, default=Path(".penchant"))
    options = parser.parse_args()
    snapshots = sorted(
        (load_settings(options.home).lake.root / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime
    )
    dataset = Dataset(Snapshot.load(snapshots[-1]))
    rows = dataset.rows("validation")
    rows = rows[dataset.returning[rows]]
    theirs = ndcg(contender(dataset, "buy-again", BUY_AGAIN).model, dataset, rows)
    say({"model": "buy-again", "ndcg_10": round(float(theirs.mean()), 4), "moments": len(rows)})
    for name, changed in VARIANTS.items():
        for seed in map(int, options.seeds.split(",")):
            begun = time.perf_counter()
            fitted = fit(dataset, FitSettings(**changed, seed=seed))
            seconds = round(time.perf_counter() - begun)
            gap = ndcg(fitted.model, dataset, rows) - theirs
            error = gap.std() / len(gap) ** 0.5
            say({"model": "dien", "variant": name, "seed": seed, "seconds": seconds,
                 "difference": round(float(gap.mean()), 4), "standard_error": round(float(error), 4)})  # fmt: skip


def ndcg(model: Any, dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """NDCG@10 of each moment."""
    targets = [dataset.targets[row] for row in rows]
    return per_moment(rank(score_all(model, dataset, rows), targets))["ndcg_10"]


def say(content: dict[str, Any]) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    main()
