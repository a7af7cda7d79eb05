"""python -m gds"""

from __future__ import annotations

import sys

from gds.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
