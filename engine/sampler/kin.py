"""Pure: which processes belong together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Kin(NamedTuple):
    """A process's parent, and the leader of its session; 0 where that is not known."""

    parent: int
    session: int


def families(
    processes: Mapping[int, Kin], own: int, workers: Iterable[int]
) -> tuple[set[int], dict[int, frozenset[int]]]:
    """The whole tree below a process, and each worker's household.

    A worker leads a session of its own; so what it started is found by its session too, even where the process
    between has ended and the system has given its children to another parent.

    Args:
        processes: all processes there are.
        own: the process above the workers.
        workers: the workers' process numbers.

    Returns:
        The tree, workers' households and what is left of them included; and each household by its worker. Only what is
        in ``processes`` is in them, and a household may be empty.
    """
    children: dict[int, list[int]] = defaultdict(list)
    sessions: dict[int, list[int]] = defaultdict(list)
    for pid, kin in processes.items():
        children[kin.parent].append(pid)
        sessions[kin.session].append(pid)
    households = {worker: _below([worker, *sessions[worker]], children, processes) for worker in workers}
    tree = set(_below([own], children, processes)).union(*households.values())
    return tree, households


def _below(roots: Iterable[int], children: Mapping[int, list[int]], processes: Mapping[int, Kin]) -> frozenset[int]:
    found: set[int] = set()
    waiting = [pid for pid in roots if pid in processes]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, ())
    return frozenset(found)
