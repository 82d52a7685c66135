"""Many small numbers in one Python int, added and compared all at once.

Each number has a lane, whose highest bit stays clear for comparing. An operation on thousands of lanes takes a few
microseconds; one by one they would take a hundred times as long.
"""

import struct
from collections.abc import Iterable, Sequence

_CODES = {16: "H", 32: "I"}


def width_for(most: int) -> int:
    """Return how wide lanes have to be for sums up to `most`."""
    return 16 if most < 1 << 14 else 32


class Lanes:
    """Ints of `count` lanes, 16 or 32 bits wide. Addition is `+`, as long as no sum reaches the highest bit.

    `infinite` is a number for what can't be: above any sum, and as much again still fits above it.
    """

    def __init__(self, count: int, width: int) -> None:
        self.count, self.width = count, width
        self.infinite = 1 << width - 2
        self.size = count * width // 8  # bytes
        self.ones = self.pack([1] * count)  # multiplied by a number: that number in every lane
        self._guards = self.ones << width - 1

    def pack(self, numbers: Sequence[int]) -> int:
        """Return the numbers as lanes, the first one lowest."""
        return int.from_bytes(struct.pack(f"<{len(numbers)}{_CODES[self.width]}", *numbers), "little")

    def unpack(self, packed: int) -> list[int]:
        """Return the lanes as numbers."""
        return list(struct.unpack(f"<{self.count}{_CODES[self.width]}", packed.to_bytes(self.size, "little")))

    def one_by_one(self, parts: Iterable[int]) -> int:
        """Return wider lanes: these, then those, each part as wide as this."""
        return int.from_bytes(b"".join([part.to_bytes(self.size, "little") for part in parts]), "little")

    def again(self, packed: int, times: int) -> int:
        """Return wider lanes: the same ones so many times over."""
        return int.from_bytes(packed.to_bytes(self.size, "little") * times, "little")

    def least(self, one: int, other: int) -> int:
        """Return the lesser number of each lane."""
        # A guard bit survives the subtraction where `one` is not less; it becomes a mask of all bits below it.
        kept = ((one | self._guards) - other) & self._guards
        return one ^ ((one ^ other) & (kept - (kept >> self.width - 1)))

    def one(self, packed: int, number: int) -> int:
        """Return the number in one lane."""
        return packed >> number * self.width & (1 << self.width) - 1
