"""Found on PYTHONPATH at the start of a process: Ctrl-C before any module of cxr is there."""

from __future__ import annotations

import os
import signal

os.kill(os.getpid(), signal.SIGINT)
