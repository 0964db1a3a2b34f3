"""Files that are no spiders: each is told in one line with the place, what is wrong, and what was meant."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from scrapekit.declarative import load, parts, schema
from scrapekit.declarative.steps import PROCESSORS, TYPES
from scrapekit.errors import SpiderError

START = "start: https://example.org/\n"
FIELDS = START + "items:\n  fields:\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it.yaml:1: the file is empty: a spider needs start and items"),
        ("- a", "it.yaml:1: the top level must be a mapping (name, description, start, arguments, allowed_domains,"),
        ("start: [", "it.yaml:1:9: not valid YAML:"),
        ("!!python/object:os.system {a: 1}", "it.yaml:1: the tag !!python/object:os.system is not allowed"),
        ("start: !!python/name:os.system ''", "it.yaml:1:8: not valid YAML: could not determine a constructor"),
        ("items: {fields: {a: b}}", "it.yaml:1: start is missing: where the crawl begins, a URL or a list of URLs"),
        (START, "it.yaml:1: items is missing: what is taken from a page"),
        (START + "itmes: {}", "it.yaml:2: unknown key 'itmes' (did you mean 'items'?)"),
        (START + "xyzzy: {}", "it.yaml:2: unknown key 'xyzzy' (known here: name, description, start,"),
        (START + "where: x", "it.yaml:2: unknown key 'where' ("),
        (START + "start: x", "it.yaml:2: 'start' is there twice: delete one of the two"),
        (START + "name: a/b", "it.yaml:2: name: must be letters, digits, '_', '.' and '-', not 'a/b'"),
        ("start: {url: x}\nitems: x", "it.yaml:1: unknown key 'start.url' (did you mean 'urls'?)"),
        ("start: {}\nitems: {fields: {a: b}}", "it.yaml:1: start: must have one of urls, file, sitemap"),
        ("start: {file: a, urls: 'https://e.org'}\nitems: x", "it.yaml:1: start: must have one of urls, file, sitemap,"),
        ("start: nowhere\nitems: x", "it.yaml:1: start.urls: can't be fetched: "),
        ('start: "https://example.org/{tga}"\narguments: {tag: x}', "it.yaml:1: start.urls: has {tga} in it, which is "),
        ('start: "https://example.org/{tga}"\narguments: {tag: x}', "did you mean {tag}?"),
        ('start: "{url}"', "which is no argument: name it under arguments, or write {{ for a plain {"),
        (START + "arguments: {a b: c}", "it.yaml:2: arguments: 'a b' is not what an argument can be called: le"),
        (START + "arguments: {class: c}", "it.yaml:2: arguments: 'class' is not what an argument can be called: letters,"),
        (START + "arguments: {start_urls: c}", "it.yaml:2: arguments: 'start_urls' is not what an argument can be called"),
        (START + "namespaces: {'a b': c}", "it.yaml:2: namespaces: 'a b' is not a prefix: letters, digits, '_', '.' and"),
        (FIELDS + "    a: {css: b, to: {date: '%Q'}}", "it.yaml:4: items.fields.a.to: date: '%Q' is no form of strptime(): "),
        (FIELDS + "    a: {css: b, to: {datetime: '%d %d'}}", "datetime: '%d %d' is no form of strptime(): redefinition of"),
        (START + "arguments: {a: yes}", "it.yaml:2: arguments.a must be text, not true (put it in quotes)"),
        (START + "allowed_domains: https://e.org/", "it.yaml:2: allowed_domains: "),
        (START + "settings: 5", "it.yaml:2: settings must be a mapping (as in settings.yaml), not 5"),
        (START + "obeys: nofolow", "it.yaml:2: obeys must be canonical or nofollow or noindex, not 'nofolow'"),
        (START + "read_as: pdf", "it.yaml:2: read_as must be html or xml, not 'pdf'"),
        (START + "items: 5", "it.yaml:2: items must be a mapping (kind, each, fields, detail, unique), not 5"),
        (START + "items: {}", "it.yaml:2: items: must have fields"),
        (START + "items: {fields: {a: b}, kind: 3x}", "it.yaml:2: items.kind: must be letters, digits and '_', and"),
        (START + "items: {fields: {a: b}, unique: c}", "it.yaml:2: items: unique: there is no field 'c', only a"),
        (START + "items: {fields: {a: b}, each: {tag: 'a:b'}}", "it.yaml:2: items.each.tag: must be the name of an"),
        (START + "items: {fields: {a: b}, each: {css: a, tag: b}}", "items.each: must have one of css, xpath, jmespath,"),
        (START + "items: {fields: {a: b}, each: {jmespath: '@'}}", "a: 'b' is looked for in JSON: that takes jmespath"),
        (FIELDS + "    a: {jmespath: b}\n    c: d", "it.yaml:5: items: c: 'd' is looked for in JSON: that takes jmespath"),
        (START + "items: {each: a, fields: {b: {jmespath: c}}}", "b: 'c' is looked for in elements: that takes css or x"),
        (START + "items: {fields: {a: b}, detail: {link: c, fields: {a: d}}}", "'a' is a field of the list and of the"),
        (START + "items: {detail: {fields: {a: d}}}", "it.yaml:2: items.detail: must have link, which leads to the"),
        (START + "items: {each: a, detail: {link: {jmespath: b}, fields: {a: d}}}", "detail.link: 'b' is looked for in"),
        (START + "items: {detail: {link: b, fields: {a: d, c: {jmespath: x}}}}", "a: 'd' is looked for in JSON: that tak"),
        (
            START + "items:\n - {detail: {link: b, fields: {a: d}}}\n - {detail: {link: b, fields: {a: d}}}",
            "it.yaml:4: two items of the kind Item have a detail page: give each a kind of its own",
        ),
        (FIELDS + "    _a: b", "it.yaml:4: items.fields: '_a' is not a field's name: letters, digits, '_' and '-'"),
        (FIELDS + "    unique: b", "it.yaml:4: items: 'unique' can't be the name of a field: choose another"),
        (FIELDS + "    a: {css: b, fields: {all: c}}", "it.yaml:4: items.fields.a: 'all' can't be the name of a field:"),
        (START + "items: {detail: {link: a, fields: {all: c}}}", "it.yaml:2: items.detail: 'all' can't be the name of a"),
        (FIELDS + "    a:\n      css: 'b['", "it.yaml:5: items.fields.a.css: CSS selector 'b[' failed: "),
        (FIELDS + "    a: {css: 'b::txt'}", "only ::text and ::attr(name) are known pseudo-elements"),
        (FIELDS + "    a: {css: 'x|b'}", "it.yaml:4: items.fields.a.css: CSS selector 'x|b' failed: Undefined namespace"),
        (FIELDS + "    a: {xpath: '//b['}", "it.yaml:4: items.fields.a.xpath: XPath '//b[' failed: "),
        (FIELDS + "    a: {jmespath: 'b['}", "it.yaml:4: items.fields.a.jmespath: 'b[' is no JMESPath: "),
        (FIELDS + "    a: {regex: '('}", "it.yaml:4: items.fields.a.regex: '(' is no regular expression: missing )"),
        (FIELDS + "    a: {}", "it.yaml:4: items.fields.a: must have one of css, xpath, jmespath, page, value, regex"),
        (FIELDS + "    a: {css: b, xpath: c}", "must have one of css, xpath, jmespath, page, value, not css and xpath"),
        (FIELDS + "    a: {page: link}", "it.yaml:4: items.fields.a.page must be source or status or url, not 'link'"),
        (FIELDS + "    a: {css: b, defualt: 1}", "it.yaml:4: unknown key 'items.fields.a.defualt' (did you mean 'default'"),
        (FIELDS + "    a: {css: b, default: 1, required: true}", "items.fields.a: what is required needs no default"),
        (FIELDS + "    a: {css: b, all: 5}", "it.yaml:4: items.fields.a.all must be true or false, not 5"),
        (FIELDS + "    a: {css: b, to: prize}", "a.to: there is no processor 'prize' (did you mean 'price'?)"),
        (FIELDS + "    a: {css: b, to: {strip: 5}}", "it.yaml:4: items.fields.a.to: strip takes no argument"),
        (FIELDS + "    a: {css: b, to: regex}", "it.yaml:4: items.fields.a.to: regex needs an argument: {regex: ...}"),
        (FIELDS + "    a: {css: b, to: {regex: '('}}", "items.fields.a.to: regex: '(' is no regular expression: missing"),
        (FIELDS + "    a: {css: b, to: {jmespath: '('}}", "items.fields.a.to: jmespath: '(' is no JMESPath: "),
        (FIELDS + "    a: {css: b, to: {map: x}}", "items.fields.a.to: map must be a mapping, not 'x'"),
        (FIELDS + "    a: {css: b, to: {split: ''}}", "items.fields.a.to: split: must have a separator"),
        (FIELDS + "    a: {css: b, to: {replace: {'(a)': '\\2'}}}", "'(a)' can't be replaced by '\\\\2': invalid group ref"),
        (FIELDS + "    a: {css: b, to: {strip: null, clean: null}}", "must be names of processors, each with its"),
        (FIELDS + "    a: {css: b, to: 5}", "must be names of processors, each with its argument"),
        (FIELDS + "    a: {css: b, to: join}", "it.yaml:4: items.fields.a: join takes a list: add all: true"),
        (FIELDS + "    a: {css: b, to: [{split: ','}, strip]}", "strip takes one value, and gets a list: put it elsewhere"),
        (FIELDS + "    a: {css: b, type: flaot}", "it.yaml:4: items.fields.a.type: there is no type 'flaot': did you mean"),
        (FIELDS + "    a: {css: b, type: 'list[x y]'}", "there is no type 'x y': there are str, int, float, bool,"),
        (FIELDS + "    a: {css: b, all: true, type: int}", "items.fields.a: type int: it is a list"),
        (FIELDS + "    a: {css: b, type: 'list[int]'}", "type list[int]: it is one value, without all: true"),
        (FIELDS + "    a: {css: b, fields: {c: d}, type: int}", "fields make an item of what is found: leave to, type and"),
        (FIELDS + "    a: {value: b, fields: {c: d}}", "fields need css, xpath or jmespath beside them"),
        (FIELDS + "    a: {css: b, fields: {c: {jmespath: d}}}", "it.yaml:4: items.fields.a: c: 'd' is looked for in elem"),
        (START + "links: {}", "it.yaml:2: links: must have one of css, xpath, jmespath, regex, allow, deny"),
        (START + "links: {css: a, xpath: b}", "it.yaml:2: links: must have one of css, xpath, jmespath, not css and xpath"),
        (START + "links: {allow: '('}", "it.yaml:2: links.allow: '(' is no regular expression: "),
        (START + "links: {css: a, to: bok}\npages: {book: {next: a}}", "links.to: must be one of pages, not 'bok': did you "),
        (START + "links: {css: a, to: b}\n", "it.yaml:2: links.to: must be one of pages, not 'b': there are none"),
        (START + "links: {css: a, to: b}\npages: {xy: {next: a}}", "must be one of pages, not 'b': there are xy"),
        (START + "pages: {Book: {next: a}}", "it.yaml:2: pages: 'Book' is not a page's name: lower-case letters, digits"),
        (START + "pages: {book: {match: a}}", "it.yaml:2: pages.book: must have items, links or next"),
        (START + "pages: {book: {next: a}}", "it.yaml:2: pages.book: nothing leads there: give it match, or links that lead to: book"),
        (START + "next: {}", "it.yaml:2: next: must have one of css, xpath, jmespath, regex, rel, parameter, template"),
        (START + "next: {parameter: page, until: never}", "it.yaml:2: next.until must be a whole number of at least 0, or"),
        (START + "next: {parameter: page, from: -1}", "it.yaml:2: next.from must be a whole number of at least 0, not -1"),
        (START + "next: {parameter: page, step: 0}", "it.yaml:2: next.step must be a whole number of at least 1, not 0"),
        (START + "next: {template: /page}", "it.yaml:2: next.template: must have {page} in it, or {value} for what a "),
        (START + "next: {template: '/{value}'}", "it.yaml:2: next: template: must have {page} in it: a number"),
        (START + "next: {css: a, template: '/{page}'}", "it.yaml:2: next: template: must have {value} in it: what is found"),
        (START + "next: {css: a, rel: next}", "it.yaml:2: next: must have one of css, xpath, jmespath, rel, not css and"),
        (START + "next: {css: a, parameter: p, template: '{value}'}", "belongs into parameter or into template"),
        ('start: "http://x.test/{a.b}"', "it.yaml:1: start.urls: has a { by itself: write {{ for a plain one, or {NAME} for"),
        (START + "next: {template: '/{page}}'}", "it.yaml:2: next.template: has a } by itself: write }} for a plain one"),
        (START + "next: {template: '/{pgae}/{page}'}", "next.template: has {pgae} in it, which is no argument: did you mean"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(refusal, text, message):
    said = refusal(text)
    assert message in said
    assert said.startswith("it.yaml:")


def test_the_name_of_a_file_may_be_none_for_a_spider(spider):
    with pytest.raises(SpiderError, match=r"^a b\.yaml:1: the file's name is that of the spider: must be letters"):
        spider(FIELDS + "    a: b", "a b.yaml")
    assert spider(FIELDS + "    a: b\nname: ab", "a b.yaml").name == "ab"


def test_a_file_that_is_not_there(folder):
    with pytest.raises(SpiderError, match=r"^no\.yaml: can't be read: No such file"):
        load("no.yaml")


@pytest.mark.parametrize("levels", [210, 240, 270, 300])  # whoever is the first not to go on
def test_what_stands_too_deep_is_said(refusal, levels):
    fields = "{css: a, fields: {a: " * levels + "b" + "}}" * levels
    assert "nested too deeply" in refusal(FIELDS + f"    a: {fields}")


def test_without_the_library_of_jmespath_it_is_said_what_to_install(refusal, spider, monkeypatch):
    monkeypatch.setitem(sys.modules, "jmespath", None)
    said = refusal(FIELDS + "    a: {jmespath: b}")
    assert said.startswith("it.yaml:4: items.fields.a.jmespath: jmespath needs a library that is not installed here")
    assert "pip install '.[jmespath]'" in said
    assert spider(FIELDS + "    a: b").name == "it"


def test_the_environment_is_read_as_in_settings(spider, refusal, monkeypatch):
    monkeypatch.setenv("SHOP", "https://shop.example.org/")
    text = "start: ${SHOP}\nitems: {fields: {a: b}}\n"
    assert spider(text)().start_urls == ["https://shop.example.org/"]
    monkeypatch.delenv("SHOP")
    assert refusal(text).startswith("it.yaml:1: start: the environment variable SHOP is not set")


# Whatever stands in a file, it is a spider, or the one error says why not.


def keys_of(kind):
    return [field.encode_name for field in structs.fields(kind)]


PARTS = [schema.Description, schema.Items, parts.Field, parts.Each, schema.Next, schema.Links, schema.Detail]
KEYS = sorted({name for part in PARTS for name in keys_of(part)} | {*PROCESSORS} | {"a", "b c", ""})
WORDS = [
    "https://example.org/",
    "{a}",
    "{page}",
    "a",
    "a::text",
    "//a",
    "[[",
    "(",
    "\\d+",
    "list[int]",
    "empty",
    "\ud800",
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([*WORDS, *TYPES, *PROCESSORS])
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)
descriptions = st.fixed_dictionaries(
    {"start": st.just("https://example.org/") | values, "items": values},
    optional={name: values for name in keys_of(schema.Description) if name not in ("start", "items", "where")},
)


def is_refused_or_a_spider(path):
    try:
        made = load(path)
        said = made(**dict.fromkeys(made.described.arguments, "https://example.org/")).name
    except SpiderError as error:
        said = str(error)
    assert said
    assert "\n" not in said


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(descriptions | st.dictionaries(st.sampled_from(KEYS), values))
def test_no_file_raises_anything_else(folder, written):
    path = Path("any.yaml")
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    is_refused_or_a_spider(path)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
@example(b"start: 5\nitems: {fields: {a: {value: .nan}}}")
@example(b"items: &a {fields: *a}")
@example(b"start: {<<: 3}")
@example(b"start: ${")
def test_no_bytes_raise_anything_else(folder, written):
    path = Path("any.yaml")
    path.write_bytes(written)
    is_refused_or_a_spider(path)
