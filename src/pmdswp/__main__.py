"""``python -m pmdswp`` is the command ``pmdswp``."""

from __future__ import annotations

import sys

from pmdswp_command import main

sys.exit(main())
