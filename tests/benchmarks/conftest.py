"""Benchmarks are scripts that find each other in their own folder; so do the tests of their parts."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
