"""Pieces of XML are mended as the whole is, wherever they are cut."""

from hypothesis import example, given
from hypothesis import strategies as st

from scrapekit.parse.references import mended
from scrapekit.spiders.markup import well_referenced

PARTS = st.sampled_from(
    ["<a>", "</a>", "&", "&amp;", "&nbsp;", "&no.such;", "&#38;", "&#xD83D;", ";", "b=1", "<![CDATA[", "]]>", "<!--",
     "-->", "<!-", "]", "-", ">", " ", "é"]
)  # fmt: skip


@given(st.lists(PARTS, max_size=12).map("".join), st.lists(st.integers(1, 9), min_size=1, max_size=8))
@example("<![CDATA[&amp;<!--]]>&amp;--><b>&", [1])
@example("<!--<![CDATA[-->&<![CDATA[&]]>&", [2])
@example("<![CDATA[&#xD83D;", [3])
def test_where_it_is_cut_makes_no_difference(text, lengths):
    body, pieces = f"<r>{text}".encode(), []
    for length in lengths * len(body):
        pieces.append(body[:length])
        body = body[length:]
    assert b"".join(well_referenced(pieces)) == mended(b"".join(pieces))


def test_space_before_the_first_element_goes_and_a_byte_order_mark_stays():
    assert b"".join(well_referenced([b"\xef\xbb\xbf\r\n <?xml?>", b"\n<a>"])) == b"\xef\xbb\xbf<?xml?>\n<a>"
    assert b"".join(well_referenced([b" text"])) == b" text"
    assert list(well_referenced([])) == list(well_referenced([b""])) == []


def test_other_encodings_pass_as_they_are():
    for codec in ("utf-16", "utf-16-be", "iso2022_jp"):
        pieces = ["<a>&".encode(codec), "日本 & &nbsp;".encode(codec), b"& plain"]
        assert b"".join(well_referenced(pieces)).endswith(b"".join(pieces[1:]))


def test_a_section_of_any_size_waits_for_nothing():
    passed = well_referenced([b"<![CDATA[", *[b"x" * 65_536] * 3, b"]]", b">&"])
    sizes = [len(piece) for piece in passed]
    assert (sizes[:4], sum(sizes)) == ([9, 65_534, 65_536, 65_536], 9 + 3 * 65_536 + 3 + 5)
