import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.report.charts import Series, interval_chart, length_chart, line_chart, ticks
from limner.report.page import environment

NUMBER = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)


def svg(chart):
    template = '{% from "parts.html" import chart with context %}{{ chart(one) }}'
    return environment().from_string(template).render(one=chart)


@given(NUMBER, NUMBER)
def test_ticks_include_both_ends(one, other):
    low, high = min(one, other), max(one, other)
    found = ticks(low, high)
    slack = 1e-3 * max(abs(low), abs(high))
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert 2 <= len(found) <= 8


@pytest.mark.parametrize("points", [[(0, 2.0), (1, 2.0)], [(1, 0.0), (2, 0.0), (3, 1e-9)]])
def test_line_chart_of_nearly_constant_values(points):
    chart = svg(line_chart("heading", [Series("name", "model", points)], "x", "y"))
    assert "nan" not in chart
    assert chart.count("<path") == 1


def test_line_chart_omits_single_points():
    assert line_chart("heading", [Series("name", "model", [(0, 1.0)])], "x", "y") is None


def test_bar_heights_equal_values():
    chart = svg(length_chart([Series("a", "model", [1, 2, 2])]))
    heights = [float(h) for h in re.findall(r'<rect[^>]* height="([\d.]+)"', chart)]
    assert heights[-1] == pytest.approx(2 * heights[-2], rel=0.01)


def test_length_chart_groups_long_captions():
    lengths = Series("captions", "people", [*[3] * 150, *[5] * 49, 40])
    tips = [mark.tip for mark in length_chart([lengths]).marks if mark.tip]
    assert tips == [
        "captions, 3 words: 75.0 %",
        "captions, 4 words: 0.0 %",
        "captions, 5+ words: 25.0 %",
    ]


def test_charts_escape_names():
    chart = svg(interval_chart("<b>", [Series("a < b & c", "model", (0.0, 0.0, 0.0))]))
    assert "&lt;b&gt;" in chart
    assert "a &lt; b &amp; c" in chart
    assert "nan" not in chart
