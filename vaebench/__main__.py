"""`python -m vaebench` is the command."""

import sys

from ablations.cli import main

sys.exit(main())
