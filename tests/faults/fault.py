"""What a fault is."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """The part it strikes, how, and what that takes for good.

    `inflict` gets the installation and a random number generator of its own; the context it returns
    inflicts the fault at its beginning and heals it at its end.
    """

    part: str
    inflict: Callable[[Any, random.Random], AbstractContextManager[None]]
    loses_gate: bool = False
    remakes_log: bool = False
