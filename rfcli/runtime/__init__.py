"""Files written completely, folder locks, signals, processes and peak memory, for all long-running commands.

Nothing here imports torch before it is used.
"""

from rfcli.runtime.files import locked, replacing
from rfcli.runtime.processes import Processes
from rfcli.runtime.signals import deferred_interrupt

__all__ = ["Processes", "deferred_interrupt", "locked", "replacing"]
