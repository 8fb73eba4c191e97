"""The attack: what docs/security.md promises, tried on the real program (`make attack`)."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The program is started, and numbers are planted, as the tests do it.
sys.path.append(str(ROOT / "tests"))
