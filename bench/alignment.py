"""Which spoken word is which written one: the alignment behind the word error rate, with its way back."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int32]
Costs = npt.NDArray[np.uint16]
Pair = tuple[int | None, int | None]
"""A spoken word's number and a written one's; None where the other has no counterpart."""


def align(spoken: Sequence[str], written: Sequence[str], *, within: bool = False) -> list[Pair]:
    """The pairs of an alignment with the fewest words left out, put in or changed (Levenshtein's), in order.

    Args:
        spoken: the words of the reference.
        written: the words of the transcript.
        within: the transcript is of a part of what was spoken only: what lies before and after it is not told.
    """
    numbers = {word: number for number, word in enumerate({*spoken, *written})}
    said = np.array([numbers[word] for word in spoken], np.int32)
    text = np.array([numbers[word] for word in written], np.int32)
    steps = np.arange(len(text) + 1, dtype=np.int32)
    cost = np.empty((len(said) + 1, len(text) + 1), np.uint16)
    cost[0] = row = steps
    for number, word in enumerate(said, 1):
        best = np.empty_like(row)
        best[0] = 0 if within else number
        best[1:] = np.minimum(row[1:] + 1, row[:-1] + (text != word))
        # Words put in after one another: the least of all ways to come from the left.
        cost[number] = row = np.minimum.accumulate(best - steps) + steps
    last = int(np.argmin(cost[:, -1])) if within else len(said)
    return _way_back(cost, said, text, last, within)


def _way_back(cost: Costs, said: Numbers, text: Numbers, last: int, within: bool) -> list[Pair]:
    pairs: list[Pair] = []
    i, j = last, len(text)
    while i or j:
        here = int(cost[i, j])
        if i and j and int(cost[i - 1, j - 1]) + int(said[i - 1] != text[j - 1]) == here:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif j and int(cost[i, j - 1]) + 1 == here:
            j -= 1
            pairs.append((None, j))
        elif j == 0 and within:
            break
        else:
            i -= 1
            pairs.append((i, None))
    return pairs[::-1]
