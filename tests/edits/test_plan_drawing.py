"""The picture of a plan: where its bars lie, that it is well-formed, and that no name gets out of its place."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from fractions import Fraction
from html.parser import HTMLParser
from typing import Any

import pytest

from ffzero.edits.plan import Copy, Plan, Render
from ffzero.edits.plan_drawing import lanes

SVG = "{http://www.w3.org/2000/svg}"
NAMES = [
    "in.mp4",
    "<script>alert(1)</script>.mp4",
    "\"><img src=x onerror='alert(1)'>.mp4",
    "a&b ]]> --> </svg></pre>.mp4",
    "bell\x07 null\x00 surrogate\udcff right\u202eleft.mp4",
]


def copied(start: str, end: str, *, track: int = 1, kind: str = "video", hidden: int = 0, name: str = "in.mp4") -> Copy:
    return Copy(
        piece=0,
        input=name,
        track=track,
        kind=kind,
        first_sample=0,
        stop_sample=100,
        samples=100,
        start_s=Fraction(start),
        end_s=Fraction(end),
        source_start_s=Fraction(start),
        hidden_before=hidden,
        output_track=track,
        reason=f"because of {name}",
    )


def rendered(start: str | None, end: str | None, *, name: str = "in.mp4") -> Render:
    return Render(
        piece=0,
        input=name,
        track=1,
        kind="video",
        source_start_s=Fraction(start or 0),
        source_end_s=Fraction(end or 1),
        frames=25,
        decode_from_sample=0,
        reason="the start falls inside a group of pictures",
        start_s=None if start is None else Fraction(start),
        end_s=None if end is None else Fraction(end),
        output_track=1,
    )


def plan(*segments: Copy | Render, name: str = "in.mp4", keyframes: tuple[Fraction, ...] = ()) -> Plan:
    return Plan(
        method="rope",
        boundary="render",
        segments=segments,
        pieces=({"input": name, "start_s": 1.0, "end_s": 11.0, "at_s": 0.0},),
        duration_s=Fraction(10),
        frames_copied=100,
        keyframes=keyframes,
    )


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # raises where it is not well-formed


def bars(svg: str, fill: str) -> list[tuple[float, float]]:
    """Return (left, width) of the bars of a colour, without the legend's."""
    found = [rect.attrib for rect in parsed(svg).iter(f"{SVG}rect") if rect.attrib.get("fill") == fill]
    return [(float(rect["x"]), float(rect["width"])) for rect in found if float(rect["height"]) > 10]


def test_lanes_are_the_output_s_tracks() -> None:
    found = lanes(plan(rendered("0", "1"), copied("1", "10"), copied("0", "10", track=2, kind="audio")).to_dict())
    assert [(lane.name, [bar.action for bar in lane.bars]) for lane in found] == [
        ("video 1", ["render", "copy"]),
        ("audio 2", ["copy"]),
    ]


def test_bars_lie_where_their_times_are() -> None:
    svg = plan(rendered("0", "2"), copied("2", "10")).to_svg(width=1000)
    ((left, wide),) = bars(svg, "#d9722e")
    ((then, rest),) = bars(svg, "#3d8b64")
    assert left + wide == pytest.approx(then, abs=0.2)
    assert rest == pytest.approx(4 * wide, rel=0.01)
    assert then + rest < 1000


def test_a_render_too_short_to_be_seen_is_seen() -> None:
    ((_, wide),) = bars(plan(rendered("0", "1/1000"), copied("1/1000", "10")).to_svg(), "#d9722e")
    assert wide >= 1


def test_hidden_samples_and_key_pictures_are_marked() -> None:
    svg = plan(copied("0", "10", hidden=34), keyframes=(Fraction(1), Fraction(6))).to_svg()
    titles = [title.text for title in parsed(svg).iter(f"{SVG}title")]
    assert "34 before: decoded, not shown" in titles
    assert [title for title in titles if title and title.startswith("key picture")] == [
        "key picture at 0:00:01.000",
        "key picture at 0:00:06.000",
    ]


def test_what_cannot_be_made_is_not_drawn() -> None:
    assert [len(lane.bars) for lane in lanes(plan(rendered(None, None), copied("0", "10")).to_dict())] == [1]


def test_a_remux_is_drawn_by_its_pieces() -> None:
    pieces = ({"input": "a.mkv", "start_s": 2.0, "end_s": 4.0}, {"input": "b.mkv", "start_s": 0.0, "end_s": 3.0})
    made = Plan(
        method="remux", boundary="keyframe", segments=(), pieces=pieces, duration_s=Fraction(5), frames_copied=0
    )
    (lane,) = lanes(made.to_dict())
    assert [(bar.start_s, bar.end_s) for bar in lane.bars] == [(0, 2), (2, 5)]
    parsed(made.to_svg())


def test_an_open_end_and_an_empty_plan_can_be_drawn() -> None:
    pieces = ({"input": "a.mkv", "start_s": 2.0, "end_s": None},)
    made = Plan(
        method="remux", boundary="keyframe", segments=(), pieces=pieces, duration_s=Fraction(0), frames_copied=0
    )
    parsed(made.to_svg())


class Page(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", NAMES)
def test_names_stay_names(name: str) -> None:
    made = plan(rendered("0", "1", name=name), copied("1", "10", name=name), name=name)
    parsed(made.to_svg())
    page = Page()
    page.feed(made._repr_html_())
    page.close()
    tags = {"div", "svg", "title", "defs", "pattern", "rect", "path", "text", "pre"}
    assert page.tags <= tags
    assert not {attribute for attribute in page.attributes if attribute.startswith("on")}
    assert not set("\x00\x07\udcff\u202e") & set(page.text)
    made._repr_html_().encode("utf-8")


def test_html_holds_the_explanation_and_needs_nothing_else() -> None:
    made = plan(copied("0", "10"))
    html = made._repr_html_()
    assert "clip of 0:00:10.000 from 1 piece(s)" in html
    assert "<script" not in html
    assert html.count("http") == 1  # the name of SVG's namespace
