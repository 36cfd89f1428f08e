"""The command line: ``python -m pipeline``, run from the repository's root.

``src/`` is put on the path from where this file lies, not installed: an experiment that DVC runs in a folder of its
own then imports that folder's science, never the main checkout's.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
