"""What tests of models share."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # test folders are no packages: this finds linear.py
