"""A job's memory over time as an SVG picture: self-contained, for light and for dark, with words for who cannot see."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from xml.etree import ElementTree as Xml

from engine.report import Mark, MarkKind, Memory, Report, Sample
from engine.timeline import Span
from tui.axes import MOST_POINTS, SizeAxis, TimeAxis, runs, scale_top, size_label, thinned
from tui.text import count, crop, name_of, plain, time_of_day

WIDTH, LEFT, RIGHT = 960, 124, 24
TOP, HEIGHT = 92, 250
LANE = 22
MOST_HAIRS = 40
"""So many failures have a line through the plot; more would hide the curve."""
SOFT = 0.85
"""The share of the budget from which on the next batch runs lighter: the soft limit."""

LANES: dict[MarkKind, str] = {
    "failure": "failures",
    "lighter": "lighter recipe",
    "heavier": "heavier recipe",
    "set": "set by hand",
    "pause": "pauses",
    "worker": "worker starts",
}
"""What can happen, each in a lane of its own below the plot, in this order."""
_SHAPES: dict[MarkKind, str] = {
    "failure": "M-4,-4 L4,4 M-4,4 L4,-4",
    "lighter": "M-5,-4 L5,-4 L0,5 Z",
    "heavier": "M-5,4 L5,4 L0,-5 Z",
    "set": "M0,-5 L5,0 L0,5 L-5,0 Z",
    "pause": "M-2.5,-5 L-2.5,5 M2.5,-5 L2.5,5",
    "worker": "M-4,0 A4,4 0 1 1 4,0 A4,4 0 1 1 -4,0 Z",
}
"""A shape for each, around its own middle: none is told by its colour alone."""

_LIGHT = {
    "paper": "#ffffff", "ink": "#1b232b", "dim": "#5c6670", "grid": "#dfe4e8", "tree": "#0072b2", "device": "#8f5b9e",
    "budget": "#b84a00", "soft": "#a86a00", "failure": "#b84a00", "lighter": "#a86a00", "heavier": "#007f5b",
    "set": "#8f5b9e", "pause": "#5c6670", "worker": "#0072b2",
}  # fmt: skip
_DARK = {
    "paper": "#11161b", "ink": "#d5dce3", "dim": "#8a95a1", "grid": "#2a343e", "tree": "#56b4e9", "device": "#cc99d8",
    "budget": "#f0703c", "soft": "#e69f00", "failure": "#f0703c", "lighter": "#e69f00", "heavier": "#00b386",
    "set": "#cc99d8", "pause": "#8a95a1", "worker": "#56b4e9",
}  # fmt: skip
"""The hues of Okabe and Ito, as on the screen (``tui.themes``)."""


def memory_plot(report: Report) -> str:
    """The picture, as a whole SVG document."""
    memory = report.memory
    marks = [mark for mark in report.marks if memory.samples]
    lanes = [kind for kind in LANES if any(mark.kind == kind for mark in marks)]
    height = TOP + HEIGHT + 52 + LANE * len(lanes) + (10 if lanes else 0)
    root = Xml.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {height}",
            "width": str(WIDTH),
            "height": str(height),
            "role": "img",
            "aria-labelledby": "title desc",
        },
    )
    name = name_of(report.path)
    _text_in(root, "title", f"Memory over time: {name}", id="title")
    _text_in(root, "desc", description(report), id="desc")
    _text_in(root, "style", _style())
    _add(root, "rect", "paper", width=WIDTH, height=height)
    _label(root, 16, 30, f"Memory over time: {crop(name, 90)}", "ink heading")
    _label(root, 16, 52, description(report), "dim")
    if memory.samples:
        _draw(root, memory, marks, lanes)
    else:
        _label(root, WIDTH / 2, TOP + HEIGHT / 2, "No memory was measured while this job was at work.", "dim middle")
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def description(report: Report) -> str:
    """The picture in words."""
    memory, told = report.memory, report.tally
    highest = memory.highest
    if highest is None:
        return f"Job {report.job}: no memory was measured."
    first, last = memory.samples[0].at, memory.samples[-1].at
    parts = [f"Job {report.job}, {time_of_day(first, seconds=True)} to {time_of_day(last, seconds=True)}"]
    parts.append(f"at most {size_label(highest.tree)} at {time_of_day(highest.at, seconds=True)}")
    if memory.budget:
        parts[-1] += f", {highest.tree / memory.budget:.0%} of the budget of {size_label(memory.budget)}"
    parts.append(count(len(told.troubles), "failure"))
    lighter = sum(change.kind == "lighter" for change in told.changes)
    if lighter:
        parts.append(f"{lighter}× lighter")
    return "; ".join(parts) + "."


def _draw(root: Xml.Element, memory: Memory, marks: Sequence[Mark], lanes: Sequence[MarkKind]) -> None:
    parts = runs(memory.samples)
    spans = [Span(part[0].at, max(part[-1].at, part[0].at + 1_000)) for part in parts]
    across = TimeAxis(spans, LEFT, WIDTH - LEFT - RIGHT)
    up = SizeAxis(scale_top(memory), TOP + HEIGHT, HEIGHT)
    _axes(root, across, up, lanes)
    each = MOST_POINTS / len(memory.samples)
    for part, span in zip(parts, spans, strict=True):
        points = thinned(part, max(3, round(len(part) * each)))
        _curve(root, points, span.end, across, up)
    _limits(root, memory, up)
    _legend(root, memory)
    _lanes(root, marks, lanes, across)


def _axes(root: Xml.Element, across: TimeAxis, up: SizeAxis, lanes: Sequence[MarkKind]) -> None:
    right, bottom = WIDTH - RIGHT, TOP + HEIGHT
    foot = bottom + 52 + LANE * len(lanes) if lanes else bottom
    for (_, _, end), (_, start, _) in pairwise(across.sections):
        cut = _add(root, "rect", "cut", x=end, y=TOP, width=start - end, height=foot - TOP)
        _text_in(cut, "title", "a time without work on this job, cut short")
    for tick in up.ticks():
        _add(root, "line", "grid", x1=LEFT, x2=right, y1=tick.at, y2=tick.at)
        _label(root, LEFT - 8, tick.at + 4, tick.label, "dim end")
    for tick in across.ticks():
        _add(root, "line", "grid", x1=tick.at, x2=tick.at, y1=bottom, y2=bottom + 5)
        place = "dim middle" if tick.at < right - 24 else "dim end"
        _label(root, tick.at, bottom + 20, tick.label, place)
        if tick.date:
            _label(root, tick.at, bottom + 36, tick.date, place)


def _curve(root: Xml.Element, points: Sequence[Sample], end: int, across: TimeAxis, up: SizeAxis) -> None:
    at = [*(across.x(point.at) for point in points), across.x(end)]
    tree = [*(up.y(point.tree) for point in points), up.y(points[-1].tree)]
    top = _path(zip(at, tree, strict=True))
    _add(root, "path", "tree area", d=f"{top} L{_n(at[-1])},{_n(up.y(0))} L{_n(at[0])},{_n(up.y(0))} Z")
    _add(root, "path", "tree curve", d=top)
    if any(point.device for point in points):
        device = [*(up.y(point.device) for point in points), up.y(points[-1].device)]
        _add(root, "path", "device curve", d=_path(zip(at, device, strict=True)))


def _limits(root: Xml.Element, memory: Memory, up: SizeAxis) -> None:
    right = WIDTH - RIGHT
    for kind, share in (("soft", SOFT), ("budget", 1.0)):
        limit = memory.budget * share
        if limit and (limit <= up.top or kind == "budget"):
            y = up.y(limit)
            _add(root, "line", f"{kind} limit", x1=LEFT, x2=right, y1=y, y2=y)


def _legend(root: Xml.Element, memory: Memory) -> None:
    entries = [("tree", "all processes")]
    if any(sample.device for sample in memory.samples):
        entries.append(("device", "device"))
    if memory.budget:
        above = " (above the scale)" if memory.budget > scale_top(memory) else ""
        entries.append(("budget", f"budget {size_label(memory.budget)}{above}"))
        if not above:
            entries.append(("soft", f"soft limit {size_label(memory.budget * SOFT)}"))
    legend = _add(root, "g", "legend")
    x = float(LEFT)
    for kind, text in entries:
        y, part = TOP - 15, "limit"
        if kind in ("tree", "device"):
            y, part = TOP - 20, "curve"
        if kind == "tree":
            _add(legend, "rect", "tree area", x=x, y=y, width=22, height=9)
        _add(legend, "line", f"{kind} {part}", x1=x, x2=x + 22, y1=y, y2=y)
        _label(legend, x + 28, TOP - 11, text, "dim")
        x += 28 + 7 * len(text) + 22


def _lanes(root: Xml.Element, marks: Sequence[Mark], lanes: Sequence[MarkKind], across: TimeAxis) -> None:
    for n, kind in enumerate(lanes):
        y = TOP + HEIGHT + 52 + LANE * n + LANE / 2
        _add(root, "line", "grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y)
        _add(root, "path", f"{kind} mark", d=_SHAPES[kind], transform=f"translate(10,{_n(y)})")
        _label(root, 20, y + 4, LANES[kind], "dim")
        of_kind = [mark for mark in marks if mark.kind == kind]
        for mark in of_kind:
            _mark(root, mark, across, y, has_hair=kind == "failure" and len(of_kind) <= MOST_HAIRS)


def _mark(root: Xml.Element, mark: Mark, across: TimeAxis, y: float, *, has_hair: bool) -> None:
    x = across.x(mark.at)
    group = _add(root, "g", "event")
    _text_in(group, "title", f"{time_of_day(mark.at, seconds=True)} {LANES[mark.kind]}: {mark.text}")
    if has_hair:
        _add(group, "line", "failure hair", x1=x, x2=x, y1=TOP, y2=y)
    if mark.until is not None:
        until = across.x(mark.until)
        _add(group, "rect", "pause span", x=x, y=y - 4, width=max(0.0, until - x), height=8)
    _add(group, "path", f"{mark.kind} mark", d=_SHAPES[mark.kind], transform=f"translate({_n(x)},{_n(y)})")


# ---- the parts of a picture


def _style() -> str:
    shared = (
        "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}",
        ".heading{font-size:16px;font-weight:600}",
        ".end{text-anchor:end}",
        ".middle{text-anchor:middle}",
        ".area{stroke:none;fill-opacity:.22}",
        ".curve{fill:none;stroke-width:1.5;stroke-linejoin:round}",
        ".limit{stroke-width:1.5}",
        ".budget{stroke-dasharray:7 4}",
        ".soft{stroke-dasharray:2 3}",
        ".mark{stroke-width:1.8}",
        ".hair{stroke-width:1;stroke-opacity:.35}",
        ".span{stroke:none;fill-opacity:.3}",
        ".cut{fill-opacity:.5}",
    )
    dark = f"@media (prefers-color-scheme:dark){{{_colours(_DARK)}}}"
    return "\n".join(("", *shared, _colours(_LIGHT), dark, ""))


def _colours(colours: dict[str, str]) -> str:
    rules = [f".{name}{{fill:{colours[name]}}}" for name in ("paper", "ink", "dim")]
    rules += [f".grid{{stroke:{colours['grid']}}}", f".cut{{fill:{colours['grid']}}}"]
    rules += [f".{name}.{part}{{stroke:{colours[name]}}}" for name, part in (
        ("tree", "curve"), ("device", "curve"), ("budget", "limit"), ("soft", "limit"), ("failure", "hair"),
    )]  # fmt: skip
    rules += [f".tree.area{{fill:{colours['tree']}}}", f".pause.span{{fill:{colours['pause']}}}"]
    rules += [f".{kind}.mark{{stroke:{colours[kind]};fill:{colours[kind]}}}" for kind in LANES]
    return "".join(rules)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _add(parent: Xml.Element, tag: str, kind: str, **values: float | str) -> Xml.Element:
    """A shape of a class."""
    told = {name: value if isinstance(value, str) else _n(value) for name, value in values.items()}
    return Xml.SubElement(parent, tag, {"class": kind} | told)


def _label(parent: Xml.Element, x: float, y: float, text: str, kind: str) -> None:
    _add(parent, "text", kind, x=x, y=y).text = plain(text)


def _text_in(parent: Xml.Element, tag: str, text: str, **values: str) -> None:
    """An element with nothing but text in it; what XML cannot hold is made visible."""
    Xml.SubElement(parent, tag, values).text = text if tag == "style" else plain(text)
