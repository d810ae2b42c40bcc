"""Where the panes go, in any terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.layout import Need, PaneName, columns, plan, width_of

PANES: tuple[PaneName, ...] = ("jobs", "timeline", "stages", "text", "memory", "log")
NEEDS: dict[PaneName, Need] = {
    "jobs": Need(4, 6),
    "timeline": Need(3, 6),
    "stages": Need(1, 1),
    "text": Need(3, 8),
    "memory": Need(3, 5),
    "log": Need(4, 10),
}


@st.composite
def needs(draw):
    names = {"jobs", "memory", "log"}
    if draw(st.booleans()):
        names |= {"timeline", "stages", "text"}  # those of a selected job come together
    found = {}
    for name in PANES:
        if name in names:
            least = draw(st.integers(1, 8))
            found[name] = Need(least, least + draw(st.integers(0, 20)))
    return found


@given(st.integers(20, 300), st.integers(1, 100), needs())
def test_the_boxes_fill_the_window_and_never_overlap(width, height, wanted):
    planned = plan(width, height, wanted)
    cells = {}
    for name, box in planned.boxes.items():
        for y in range(box.y, box.y + box.height):
            for x in range(box.x, box.x + box.width):
                assert (x, y) not in cells, (name, cells[x, y])
                cells[x, y] = name
    lines = {(box.x, box.y + n) for box in planned.dividers for n in range(box.height)}
    assert not lines & set(cells)
    assert len(cells) + len(lines) == width * height
    assert len(planned.dividers) <= 2
    assert all(x < width and y < height for x, y in cells)


@given(st.integers(20, 300), st.integers(1, 100), needs())
def test_the_queue_and_the_timeline_never_go(width, height, wanted):
    planned = plan(width, height, wanted)
    assert set(planned.boxes) | set(planned.hidden) == set(wanted)
    assert not set(planned.boxes) & set(planned.hidden)
    assert not {"jobs", "timeline"} & set(planned.hidden)


@given(st.integers(20, 300), st.integers(1, 100), needs())
def test_nothing_is_hidden_that_fits(width, height, wanted):
    planned = plan(width, height, wanted)
    if planned.hidden:
        shown = {name: wanted[name] for name in planned.boxes}
        for name in planned.hidden:
            more = plan(width, height, shown | {name: wanted[name]})
            assert name in more.hidden or any(box.height < shown[each].least for each, box in planned.boxes.items())


def test_the_graph_goes_before_the_events_in_one_column():
    assert plan(80, 22, NEEDS).hidden == ()
    assert plan(80, 17, NEEDS).hidden == ("memory",)
    assert plan(80, 12, NEEDS).hidden == ("memory", "log")
    assert plan(80, 8, NEEDS).hidden == ("memory", "log", "text")
    assert plan(80, 7, NEEDS).hidden == ("memory", "log", "text", "stages")


@pytest.mark.parametrize(
    ("width", "beside"),
    [
        (80, []),
        (120, [("timeline", "stages"), ("text", "memory")]),
        (200, [("jobs", "memory"), ("timeline", "stages"), ("text", "log")]),
    ],
)
def test_three_layouts(width, beside):
    boxes = plan(width, 40, NEEDS).boxes
    pairs = [
        (left, right)
        for left in boxes
        for right in boxes
        if boxes[left].y == boxes[right].y and boxes[left].x < boxes[right].x
    ]
    assert sorted(pairs) == sorted(beside)


@given(st.integers(100, 300))
def test_the_widths_are_known_before(width):
    boxes = plan(width, 60, NEEDS).boxes
    assert {name: box.width for name, box in boxes.items()} == {name: width_of(name, width) for name in boxes}
    assert sum(columns(width)) + 1 == width
