"""python -m attacks [--minutes M | --rounds N] [--seed S] [--only KIND] [--folder FOLDER]"""

from __future__ import annotations

import os
import sys

# Before numpy and torch are imported: the children are forked, and threads do not survive that.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

from attacks.campaign import main  # noqa: E402

sys.exit(main())
