"""The picture of a job's memory: well-formed, harmless, to scale, and never too large."""

import contextlib
import re
import unicodedata
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.ledger import Ledger
from engine.report import Memory, Report, Sample, report_of
from engine.tally import Pause, Trouble
from tests.engine.told import BUDGET, HOSTILE, MIB, START, Told, eventful, save
from tui.plot import HEIGHT, LANES, LEFT, RIGHT, TOP, WIDTH, description, memory_plot

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def report(tmp_path):
    def make(told: Told | None = None, path: str = "/talks/talk.mkv") -> Report:
        with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
            save(ledger, told or eventful(path), path)
            return report_of(ledger, 1)

    return make


def drawn(report: Report) -> Xml.Element:
    return Xml.fromstring(memory_plot(report))


def of_class(root: Xml.Element, kind: str) -> list[Xml.Element]:
    """The shapes of a class, but for the legend's."""
    return [each for part in root if part.get("class") != "legend" for each in part.iter() if each.get("class") == kind]


def points(path: Xml.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", path.get("d"))]


def texts(root: Xml.Element) -> list[str]:
    return [each.text for each in root.iter(f"{SVG}text")]


class TestPicture:
    def test_stands_by_itself(self, report):
        picture = memory_plot(report())
        assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
        assert {each.tag.removeprefix(SVG) for each in Xml.fromstring(picture).iter()} == {
            *("svg", "title", "desc", "style", "rect", "line", "path", "text", "g"),
        }

    def test_has_words_for_who_cannot_see_it(self, report):
        root = drawn(report())
        assert root.get("role") == "img"
        title, told = root[0], root[1]
        assert root.get("aria-labelledby").split() == [title.get("id"), told.get("id")]
        assert title.text == "Memory over time: talk.mkv"
        assert told.text == (
            "Job 1, 14:03:01 to 15:03:47; at most 600 MB at 14:03:04, 109% of the budget of 550 MB; "
            "3 failures; 2× lighter."
        )

    def test_is_made_for_light_and_for_dark(self, report):
        (style,) = [each.text for each in drawn(report()).iter(f"{SVG}style")]
        light, dark = style.split("@media (prefers-color-scheme:dark)")
        names = re.compile(r"\.([\w.]+)\{(?:fill|stroke):#")
        assert set(names.findall(dark)) == set(names.findall(light)) != set()
        assert light.count("{") == light.count("}")
        assert dark.count("{") == dark.count("}")

    def test_hostile_names_are_text_and_nothing_else(self, report):
        root = drawn(report(path=HOSTILE))
        assert root[0].text == "Memory over time: <b>&\"'␛[31m \\u202e]]>--.mkv"
        assert not [each for each in root.iter() if each.tag == f"{SVG}b"]

    @given(st.text(min_size=1), st.text())
    def test_any_name_and_reason_is_well_formed(self, path, reason):
        trouble = Trouble(at=START, stage="listen", kind="oom", spans=(), reason=reason, follows="")
        root = drawn(replace(bare((400, 500)), path=path, tally=replace(bare(()).tally, troubles=(trouble,))))
        told = "".join(root.itertext())
        assert not {unicodedata.category(char) for char in told if char != "\n"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


class TestScale:
    def test_the_curve_is_where_the_samples_are(self):
        root = drawn(bare((0, 275, 550, 100)))
        (curve,) = of_class(root, "tree curve")
        xs, ys = zip(*points(curve), strict=True)
        width = WIDTH - LEFT - RIGHT
        assert xs == pytest.approx([LEFT + width * n / 3 for n in (0, 1, 2, 3, 3)], abs=0.1)
        (budget,) = of_class(root, "budget limit")
        bottom, limit = TOP + HEIGHT, float(budget.get("y1"))
        assert ys == pytest.approx(
            [bottom, (bottom + limit) / 2, limit, bottom - (bottom - limit) / 5.5, ys[3]], abs=0.2
        )

    def test_budget_and_soft_limit_are_lines_with_a_legend(self, report):
        root = drawn(report())
        assert {"budget 550 MB", "soft limit 468 MB", "all processes"} <= set(texts(root))
        heights = [float(of_class(root, f"{kind} limit")[0].get("y1")) for kind in ("budget", "soft")]
        bottom = TOP + HEIGHT
        assert (bottom - heights[1]) / (bottom - heights[0]) == pytest.approx(0.85, abs=0.01)

    def test_a_curve_far_below_the_budget_is_not_lost(self):
        root = drawn(bare((10, 20, 15)))
        (curve,) = of_class(root, "tree curve")
        assert min(y for _, y in points(curve)) < TOP + HEIGHT / 3
        assert "budget 550 MB (above the scale)" in texts(root)

    def test_without_a_budget_there_is_no_limit(self):
        base = bare((10, 20))
        root = drawn(replace(base, memory=replace(base.memory, budget=0)))
        assert not of_class(root, "budget limit")

    def test_the_axes_say_clock_times_and_sizes(self, report):
        told = texts(drawn(report()))
        assert {"0", "128 MB", "640 MB", "14:03:05", "2026-04-01"} <= set(told)

    def test_a_time_without_work_is_cut_short(self, report):
        root = drawn(report())
        assert len(of_class(root, "cut")) == 2, "an hour between the sittings, and the pause"
        assert len(of_class(root, "tree curve")) == 3

    def test_what_the_devices_hold_is_a_curve_of_its_own(self):
        base = bare((10, 20))
        samples = tuple(replace(each, device=5 * MIB) for each in base.memory.samples)
        root = drawn(replace(base, memory=replace(base.memory, samples=samples)))
        assert len(of_class(root, "device curve")) == 1
        assert "device" in texts(root)

    def test_ten_hours_are_thinned_and_keep_their_peaks(self):
        sizes = [300 + n % 7 for n in range(36_000)]
        sizes[17_777] = 549
        root = drawn(bare(sizes))
        (curve,) = of_class(root, "tree curve")
        assert 900 < len(points(curve)) <= 1_002
        limit = float(of_class(root, "budget limit")[0].get("y1"))
        assert min(y for _, y in points(curve)) == pytest.approx(limit, abs=0.6)


class TestMarks:
    def test_each_kind_has_a_lane_with_its_name_and_a_shape_of_its_own(self, report):
        root = drawn(report())
        assert [text for text in texts(root) if text in LANES.values()] == [
            *("failures", "lighter recipe", "heavier recipe", "pauses", "worker starts"),
        ]
        shapes = {
            each.get("class"): each.get("d") for each in root.iter() if (each.get("class") or "").endswith("mark")
        }
        assert len(set(shapes.values())) == len(shapes) == 5

    def test_each_says_what_happened_and_when(self, report):
        told = [each.text for each in drawn(report()).iter(f"{SVG}title")]
        assert "14:03:06 failures: Too little memory." in told
        assert "15:03:21 pauses: parked" in told

    def test_a_pause_lasts(self):
        base = bare(tuple(range(100, 200)))
        pause = Pause(at=START + 20_000, how="frozen", reason="", until=START + 50_000)
        root = drawn(replace(base, tally=replace(base.tally, pauses=(pause,))))
        (span,) = of_class(root, "pause span")
        assert float(span.get("width")) == pytest.approx((WIDTH - LEFT - RIGHT) * 30 / 99, abs=0.2)

    def test_all_stay_within_the_picture(self, report):
        root = drawn(report())
        height = float(root.get("height"))
        for each in root.iter():
            if each.get("transform"):
                x, y = map(float, re.findall(r"[\d.]+", each.get("transform")))
                assert 0 <= x <= WIDTH
                assert 0 <= y <= height


def test_a_job_without_samples_says_so(report):
    told = report(Told().sit_down().add().run())
    assert "No memory was measured while this job was at work." in texts(drawn(told))
    assert description(told) == "Job 1: no memory was measured."


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 2**36)), min_size=1, max_size=60))
def test_any_samples_can_be_drawn(steps):
    at, samples = START, []
    for later, tree in steps:
        at += later
        samples.append(Sample(at, tree))
    base = bare(())
    root = drawn(replace(base, memory=Memory(samples=tuple(samples), budget=2**33)))
    for curve in of_class(root, "tree curve"):
        for x, y in points(curve):
            assert 0 <= x <= WIDTH - RIGHT + 0.1
            assert TOP - 20 <= y <= TOP + HEIGHT + 0.1


def bare(sizes) -> Report:
    """A job of which only the memory is known, a sample a second, in MiB."""
    from engine.commands import Options
    from engine.states import Done
    from engine.tally import Tally

    samples = tuple(Sample(START + 1_000 * n, size * MIB) for n, size in enumerate(sizes))
    return Report(
        job=1,
        path="/talks/talk.mkv",
        size=9,
        options=Options(),
        state=Done(START),
        probed=None,
        duration=None,
        heard=0,
        heard_all=True,
        speech=(),
        windows=0,
        covered_ms=0,
        to_cover_ms=0,
        gaps=(),
        doubtful=(),
        unheard=(),
        recovered=(),
        outputs=(),
        warnings=(),
        worked_ms=0,
        tally=Tally(),
        stages=(),
        attempts=(),
        memory=Memory(samples=samples, budget=BUDGET),
    )
