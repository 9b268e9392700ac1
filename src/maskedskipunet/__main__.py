"""`python -m maskedskipunet`."""

import sys

from maskedskipunet.cli.main import main

sys.exit(main())
