"""Many small numbers in one Python int, added and compared all at once.

Each number has a lane of 32 bits and is at most `LARGEST`, so that the highest bit stays clear for comparing. An
operation on thousands of lanes takes a few microseconds; one by one they would take a hundred times as long.
"""

import struct
from collections.abc import Iterable, Sequence

WIDTH = 32
LARGEST = (1 << WIDTH - 1) - 1


class Lanes:
    """Ints of `count` lanes. Addition is `+`, as long as no sum is above `LARGEST`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.size = count * WIDTH // 8  # bytes
        self.ones = self.pack([1] * count)  # multiplied by a number: that number in every lane
        self._guards = self.ones << WIDTH - 1

    def pack(self, numbers: Sequence[int]) -> int:
        """Return the numbers as lanes, the first one lowest."""
        return int.from_bytes(struct.pack(f"<{len(numbers)}I", *numbers), "little")

    def unpack(self, packed: int) -> list[int]:
        """Return the lanes as numbers."""
        return list(struct.unpack(f"<{self.count}I", packed.to_bytes(self.size, "little")))

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
        return one ^ ((one ^ other) & (kept - (kept >> WIDTH - 1)))


def lane(packed: int, number: int) -> int:
    """Return the number in one lane."""
    return packed >> number * WIDTH & (1 << WIDTH) - 1
