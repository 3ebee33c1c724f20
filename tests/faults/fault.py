"""What a fault is."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple


class Struck(NamedTuple):
    """Programs that could not tell what they had answered: those killed have forgotten it."""

    killed: tuple[str, ...] = ()
    cut_off: tuple[str, ...] = ()


class Fault(NamedTuple):
    """The part it strikes, how, and what that takes for good.

    `inflict` gets the installation and a random number generator of its own; the context it returns
    inflicts the fault at its beginning, says which programs it struck, and heals it at its end. `alone`: no
    other may strike at the same time. `moves_clocks`: times that servers write down may be wrong.
    """

    part: str
    inflict: Callable[[Any, random.Random], AbstractContextManager[Struck | None]]
    loses_gate: bool = False
    remakes_log: bool = False
    alone: bool = False
    moves_clocks: bool = False
