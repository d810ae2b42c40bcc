"""What follows from looks at folders: which files stand still, which folders are lost; pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.watching.sightings import Mark, Scan, Sightings

PATHS = ("/a/1.mp3", "/a/b/2.mp3", "/c/3.mp3")
FOLDERS = ("/a", "/a/b", "/c")
MARKS = st.builds(Mark, st.integers(0, 2), st.just(0))
TIMES = st.sampled_from((0.0, 1.0, 4.0, 5.0, 9.0))


def _is_hidden(path: str, hidden: set[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in hidden)


@st.composite
def scans(draw) -> Scan:
    """A look at three files in three folders, of which some may be away."""
    lost = draw(st.sets(st.sampled_from(("/a", "/c"))))
    closed = draw(st.sets(st.sampled_from(("/a/b",)))) if "/a" not in lost else set()
    files = draw(st.dictionaries(st.sampled_from(PATHS), MARKS))
    return Scan(
        files={path: mark for path, mark in files.items() if not _is_hidden(path, lost | closed)},
        lost=dict.fromkeys(lost, "gone"),
        closed=dict.fromkeys(closed, "shut"),
    )


LOOKS = st.lists(st.tuples(TIMES, scans(), st.sets(st.sampled_from(PATHS))), max_size=12)
"""Seconds that pass, what is seen then, and which of the files can be queued if they are due."""


@given(LOOKS)
def test_a_file_is_due_when_it_was_seen_unchanged_for_long_enough_and_then_once(looks):
    """Compared with what one would say with all looks in hand."""
    sightings, now = Sightings(), 0.0
    seen: dict[str, list[tuple[float, Mark]]] = {path: [] for path in PATHS}
    done: dict[str, Mark] = {}
    for passed, look, can in looks:
        now += passed
        sightings, findings = sightings.after(look, now, settle=5.0)
        hidden = {*look.lost, *look.closed}
        expected = []
        for path in PATHS:
            mark = look.files.get(path)
            if mark is None:
                seen[path].clear()
                if not _is_hidden(path, hidden):
                    done.pop(path, None)
                continue
            seen[path].append((now, mark))
            if done.get(path) != mark:
                done.pop(path, None)
                same = [at for at, each in reversed(seen[path]) if each == mark]
                run = next((n for n, (_, each) in enumerate(reversed(seen[path])) if each != mark), len(same))
                if now - same[run - 1] >= 5.0:
                    expected.append((path, mark))
        assert list(findings.due) == expected
        taken = {path: mark for path, mark in findings.due if path in can}
        done |= taken
        sightings = sightings.done_with(taken)
        assert sightings.is_settled == all(done.get(path) == mark for path, mark in look.files.items())


@given(LOOKS)
def test_a_folder_that_is_lost_is_told_once_until_it_is_back(looks):
    sightings = Sightings()
    lost: set[str] = set()
    for now, (_, look, _can) in enumerate(looks):
        sightings, findings = sightings.after(look, float(now), 5.0)
        assert set(findings.lost) == look.lost.keys() - lost
        assert set(findings.back) == lost - look.lost.keys()
        lost = set(look.lost)


@given(LOOKS)
def test_a_folder_that_is_closed_is_told_once_until_it_can_be_read(looks):
    sightings = Sightings()
    told: set[str] = set()
    for now, (_, look, _can) in enumerate(looks):
        sightings, findings = sightings.after(look, float(now), 5.0)
        assert set(findings.closed) == look.closed.keys() - told
        told = set(look.closed) | {folder for folder in told if _is_hidden(folder, set(look.lost))}


def test_with_no_time_to_settle_a_file_is_due_at_once():
    mark = Mark(1, 1)
    _, findings = Sightings().after(Scan(files={"/a.mp3": mark}), 3.0, 0.0)
    assert findings.due == (("/a.mp3", mark),)


def test_what_is_done_with_counts_only_for_a_file_as_it_was():
    sightings, _ = Sightings().after(Scan(files={"/a.mp3": Mark(1, 1)}), 3.0, 0.0)
    assert not sightings.done_with({"/a.mp3": Mark(2, 1), "/b.mp3": Mark(1, 1)}).is_settled
    assert sightings.done_with({"/a.mp3": Mark(1, 1)}).is_settled


@pytest.mark.parametrize("away", [{"lost": {"/a": "gone"}}, {"closed": {"/a": "shut"}}], ids=["lost", "closed"])
def test_what_was_done_in_a_folder_is_done_when_it_can_be_looked_at_again(away):
    """But what had not stood still yet begins anew."""
    looked = Scan(files={"/a/1.mp3": Mark(1, 1), "/a/2.mp3": Mark(1, 1)})
    sightings, _ = Sightings().after(looked, 0.0, 5.0)
    sightings = sightings.done_with({"/a/1.mp3": Mark(1, 1)})
    sightings, _ = sightings.after(Scan(**away), 4.0, 5.0)
    assert list(sightings.files) == ["/a/1.mp3"]
    sightings, findings = sightings.after(looked, 8.0, 5.0)
    assert findings.due == ()
    _, findings = sightings.after(looked, 13.0, 5.0)
    assert findings.due == (("/a/2.mp3", Mark(1, 1)),)
