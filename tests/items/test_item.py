"""Declarative items: what they find, what they say when they don't, and what may be done with them."""

import pytest

from scrapekit.errors import ItemError
from scrapekit.items import (
    Item,
    ItemWriter,
    css,
    each,
    given,
    join,
    link,
    page_url,
    regex,
    strip,
    take_first,
    to_int,
    to_price,
    xpath,
)
from scrapekit.messages import encode_item, is_item
from scrapekit.testing import response

PAGE = """<base href="http://a.test/x/">
<div class=quote><span class=text>One</span><b class=price>£1.50</b><a class=tag href=t/1> a </a><a class=tag href=/t/2>b</a>
  <div class=author><em>Ann</em><i>1970</i></div><div class=author><em>Bob</em></div></div>
<div class=quote><span class=text>Two</span><b class=price>free</b>
  <div class=author><em>Cid</em><i>x</i></div></div>"""


class Author(Item):
    name = css("em::text")
    born = css("i::text", to_int).default(None)


class Quote(Item):
    text = css("span.text::text")
    price = css("b.price::text", to_price)
    tags = each("a.tag::text", strip, str.upper)
    authors = each("div.author", Author)


@pytest.fixture
def page():
    return response("http://a.test/", PAGE)


def one(field, page):
    """What a field finds on a page."""
    return type("One", (Item,), {"it": field}).from_response(page).it


def wrong(item):
    return str(item.problem)


def test_an_item_of_each_element_is_read_below_it(page):
    first, second = Quote.all(page, "div.quote")
    assert first == Quote(
        text="One", price=to_price("1.50"), tags=["A", "B"], authors=[Author(name="Ann", born=1970), Author(name="Bob")]
    )
    assert first.problem is None
    assert first.authors[1].born is None
    assert (second.text, second.tags) == ("Two", [])


def test_it_is_an_item_and_is_written_in_the_order_of_its_fields(page):
    item = next(Quote.all(page, "div.quote"))
    assert is_item(item)
    line = b'{"text":"One","price":"1.50","tags":["A","B"],"authors":[{"name":"Ann","born":1970},{"name":"Bob","born":null}]}'
    assert encode_item(item) == line
    assert encode_item({"quote": item}) == b'{"quote":' + line + b"}"
    assert ItemWriter()(item) == (line, None)


def test_what_is_wrong_is_said_where_it_is_looked_at_and_costs_the_item_alone(page):
    _, second = Quote.all(page, "div.quote")
    assert wrong(second) == ("price: to_price() can't read 'free': ValueError: there is no number in it; and authors")
    assert (second.problem.field, second.problem.value, second.problem.url) == ("price", "free", "http://a.test/")
    with pytest.raises(ItemError, match=r"^authors\[0\].born: to_int\(\) can't read 'x'") as caught:
        _ = second.authors
    assert caught.value.field == "authors[0].born"
    with pytest.raises(ItemError, match="price: "):
        encode_item(second)


def test_a_pipeline_may_put_something_better_there(page):
    _, second = Quote.all(page, "div.quote")
    second.price, second.authors = to_price("0"), []
    assert second.problem is None
    assert second.price == 0


def test_nothing_found_is_wrong_unless_there_is_a_default(page):
    class Rated(Item):
        stars = css("b.stars::text", to_int)

    class MayBe(Item):
        stars = css("b.stars::text", to_int).default(0)
        notes = each("p.note::text").then(take_first).default([])

    assert wrong(Rated.from_response(page)) == "stars: nothing matches 'b.stars::text'"
    rated = MayBe.from_response(page)
    assert (rated.stars, rated.notes) == (0, [])
    rated.notes.append("x")
    assert MayBe().notes == []


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (css("em"), "<em>Ann</em>"),
        (css("em", str.upper), "<EM>ANN</EM>"),
        (css("em::text", regex("A(n+)"), str.upper), "NN"),
        (xpath("count(//em)"), "3.0"),
        (xpath("//em/text()", strip), "Ann"),
        (link("a.tag"), "http://a.test/x/t/1"),
        (link("a.tag + a"), "http://a.test/t/2"),
        (link("a::attr(href)"), "http://a.test/x/t/1"),
        (each(link("a, em")), ["http://a.test/x/t/1", "http://a.test/t/2"]),
        (each(xpath("//em/text()", str.upper)), ["ANN", "BOB", "CID"]),
        (each("em::text").then(join("+")), "Ann+Bob+Cid"),
        (each("em::text", str.upper).then(join()).then(len), 11),
        (page_url(), "http://a.test/"),
        (css("div.author", Author), Author(name="Ann", born=1970)),
        (css("div.nobody", Author).default(None), None),
        (css("em::text").then(len), 3),
    ],
)
def test_fields(field, found, page):
    assert one(field, page) == found


def test_an_element_without_a_link_has_none(page):
    assert wrong(type("One", (Item,), {"it": link("em")}).from_response(page)) == "it: nothing matches 'em'"


def test_the_callback_may_give_fields_and_their_type_is_held(page):
    class Tagged(Item):
        tag = given(str)
        page = given(int).default(1)
        text = css("span::text")

    item = Tagged.from_response(page, tag="love", text="mine")
    assert (item.tag, item.page, item.text) == ("love", 1, "mine")
    assert wrong(Tagged.from_response(page)) == "tag: nothing matches a page: the callback gives it"
    bad = Tagged.from_response(page, tag="x", page="2")
    assert wrong(bad) == "page: Expected `int`, got `str`"
    assert bad.problem.value == "2"
    bad.page = 3
    assert bad.problem is None


def test_any_class_may_be_given():
    class Colour:
        pass

    class Painted(Item):
        colour = given(Colour)
        sizes = given(list[int]).default([])

    red = Colour()
    assert Painted(colour=red).colour is red
    assert wrong(Painted(colour="red")).startswith("colour: ")
    assert wrong(Painted(colour=red, sizes=["1"])) == "sizes: [0]: Expected `int`, got `str`"


def test_an_item_made_by_hand_has_its_defaults_and_lacks_the_rest():
    item = Author(name="Ann")
    assert (item.name, item.born) == ("Ann", None)
    assert repr(item) == "Author(name='Ann', born=None)"
    assert wrong(Author()) == "name: has no value"
    assert item != {"name": "Ann", "born": None}


@pytest.mark.parametrize(
    "make", [lambda page: Author(nmae="x"), lambda page: Author.from_response(page, nmae="x")], ids=["made", "read"]
)
def test_a_field_that_is_not_there_is_refused(make, page):
    with pytest.raises(TypeError, match="Author has no field 'nmae'"):
        make(page)
    with pytest.raises(AttributeError, match="Author has no field 'nmae'"):
        Author(name="x").nmae = "y"


def test_subclasses_have_the_fields_of_their_base_first():
    class Poet(Author):
        verse = css("q::text").default("")
        name = css("h1::text")

    assert list(Poet(name="Ann").model_dump()) == ["name", "born", "verse"]
    assert Poet.name is not Author.name


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"all": css("b")}, "Bad.all can't be the name of a field"),
        ({"_x": css("b")}, "Bad._x can't be the name of a field"),
        ({"unique": ["url"]}, r"Bad.unique must be a list of its fields, not \['url'\]"),
        ({"unique": "a", "a": css("b")}, "Bad.unique must be a list of its fields, not 'a'"),
    ],
    ids=["method", "private", "unknown", "text"],
)
def test_a_class_that_can_not_be_is_refused_where_it_is_written(body, said):
    with pytest.raises(TypeError, match=said):
        type("Bad", (Item,), body)


def test_a_field_has_one_name():
    field = css("b::text")
    with pytest.raises((TypeError, RuntimeError), match="Error calling|the same field") as caught:
        type("Bad", (Item,), {"a": field, "b": field})
    assert "Bad.b is the same field as a: make each its own" in str(caught.value.__cause__ or caught.value)


def test_a_step_must_be_a_function():
    with pytest.raises(TypeError, match="'b::text': a step must be a function of one value, not 'strip'"):
        css("b::text", "strip")


@pytest.mark.parametrize("make", [css, xpath, link, each])
def test_a_query_must_be_text(make):
    with pytest.raises(TypeError, match="a query must be text, not 5"):
        make(5)


def test_a_hidden_function_is_told_from_a_field():
    with pytest.raises(TypeError, match="a step must be a function"):
        css("b::text", css("i"))
