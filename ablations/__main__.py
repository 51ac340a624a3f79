"""`python -m ablations` is `vaebench`."""

import sys

from ablations.cli import main

sys.exit(main())
