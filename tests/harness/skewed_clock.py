"""Sets the wall clock of one server ahead or back while it runs."""

import struct

from harness.preload import ControlPage, preloaded

LAYOUT = struct.Struct("q")
MICROSECONDS = 1_000_000


class SkewedClock:
    """The wall clock of processes that run with `variables`; it is right until `set`."""

    def __init__(self) -> None:
        self._page = ControlPage()
        self.variables = {
            "LD_PRELOAD": str(preloaded("skewed_clock")),
            "SKEWED_CLOCK_CONTROL": str(self._page.path),
        }

    def set(self, seconds: float) -> None:
        """From now on that far ahead; negative: behind."""
        LAYOUT.pack_into(self._page.memory, 0, round(seconds * MICROSECONDS))

    def close(self) -> None:
        """Removes the page; the clock stays as it is."""
        self._page.close()
