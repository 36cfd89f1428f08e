"""Measures speed, and quality for each minute, beside other programs: ``python -m benchmarks.NAME`` from the root.

``src/`` is put on the path from where this file lies, as ``pipeline`` does.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
