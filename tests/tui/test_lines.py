"""Lines as data: joined, cut, spread and ruled."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.lines import BLANK, Line, Run, fitted, joined, line, rule, spread

RUNS = st.lists(
    st.builds(Run, st.text(st.sampled_from("ab会 "), max_size=12), st.sampled_from(["", "dim", "bad"])), max_size=6
)
LINES = RUNS.map(lambda runs: line(*runs))


def test_neighbours_of_one_style_are_joined():
    assert line(Run("a", "dim"), Run("", "bad"), None, Run("b", "dim"), "c") == Line((Run("ab", "dim"), Run("c")))
    assert line() == BLANK


@given(LINES, st.integers(0, 60))
def test_fitted_fits(whole, width):
    cut = fitted(whole, width)
    assert cut.width <= width
    assert cut == whole or cut.text.endswith("…") or width == 0


@given(LINES, LINES, st.integers(0, 80))
def test_spread_fills_the_width(left, right, width):
    assert spread(left, right, width, Run("─")).width == width


@given(st.text(st.sampled_from("ab会 "), max_size=30), st.lists(RUNS, max_size=4), st.integers(1, 100))
def test_a_rule_fills_the_width(title, notes, width):
    assert rule(Run(title, "title"), notes, width).width == width


def test_a_rule_drops_the_last_notes_before_it_cuts_the_title():
    notes = [[Run("now 5.1G")], [Run("peak 7.9G")]]
    assert rule(Run("Memory"), notes, 40).text == "─ Memory ───────── now 5.1G  peak 7.9G ─"
    assert rule(Run("Memory"), notes, 26).text == "─ Memory ────── now 5.1G ─"
    assert rule(Run("Memory"), notes, 14).text == "─ Memory ─────"


@given(st.lists(RUNS, max_size=8), st.integers(10, 60))
def test_joined_parts_break_only_between_parts(parts, width):
    lines = joined(parts, width)
    whole = "".join(run.text for part in parts for run in part)
    assert "".join(each.text for each in lines).replace(" ", "") == whole.replace(" ", "")
    widest = max((sum(cell_len(run.text) for run in part) for part in parts), default=0)
    assert all(each.width <= max(width, widest) for each in lines)
