"""`ray start` without the Ray client server, a second way in on all addresses that nothing of mlv uses.

Ray has no flag for that: its start hook is handed the parameters before anything listens.
"""

import os
import sys
from typing import Any

os.environ["RAY_START_HOOK"] = "__main__.before_start"


def before_start(parameters: Any, _head: bool) -> None:
    """Called by `ray start`; takes the hook away so that no worker inherits it."""
    del os.environ["RAY_START_HOOK"]
    parameters.ray_client_server_port = None


if __name__ == "__main__":
    from ray.scripts.scripts import main

    sys.exit(main())
