"""The synthetic study of the other tests, and text of every nasty kind."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "ablations"))  # test folders are no packages: this finds synthetic.py
sys.path.append(str(Path(__file__).parents[1] / "vae" / "datasets"))  # and this files.py
sys.path.append(str(Path(__file__).parent))
