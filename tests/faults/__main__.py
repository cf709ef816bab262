"""`python -m tests.faults > docs/faults.md`."""

import sys

from tests.faults.page import page

sys.stdout.write(page())
