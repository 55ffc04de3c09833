"""A task that ingests does not pay for pandas, TensorFlow or Great Expectations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]

SCRIPT = """
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from features.events.arrivals import take_day
from features.events.publish import publish
from infra.settings import load_settings

settings = load_settings(Path(sys.argv[1]), clock="2010-12-10T00:00:00+00:00")
folder = settings.lake.landing_day("canonical", date(2010, 12, 1))
folder.mkdir(parents=True)
(folder / "a.csv").write_text("item_id,event_type,occurred_at,title\\ni,view,2010-12-01 10:00:00,MUG\\n")
[manifest] = take_day(settings, "canonical", date(2010, 12, 1))
publish(settings, [manifest.delivery_id], gated=False)
print(sorted({"pandas", "great_expectations", "tensorflow", "feast", "mlflow"} & set(sys.modules)))
"""


def test_ingest_and_publish_load_nothing_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path / "home")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
