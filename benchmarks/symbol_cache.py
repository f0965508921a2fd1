"""What the manager of the symbol cache costs.

    python -m benchmarks.symbol_cache

First a cache of 100,000 files under 20,000 names: how long the manager takes until it watches all of it, and its
memory. Then, on the same cache, the CPU time of the manager while 50 crashes a second open 40 files each.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from socorro_processor.app.companion import command
from socorro_processor.cli.main import configuration_of
from socorro_processor.symbols.cache_records import CacheRecords, Status, records_of

NAMES = 20_000
IDS = 5
CRASHES_A_SECOND = 50
FILES_A_CRASH = 40

START_BAR = 5.0
"""Seconds until the watches are set."""
MEMORY_BAR = 150 << 20
CPU_BAR = 0.02
"""Of one core."""
