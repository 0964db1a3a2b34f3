"""Forms submit what a browser submits. The expected bodies are those of the HTML Standard's algorithms."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from scrapekit import Form
from scrapekit.errors import ParseError, RequestInvalid
from scrapekit.testing import response

URL = "https://shop.test/account/login?next=1"


def form(body, *, url=URL, headers=None, **which):
    return Form.from_response(response(url, body, headers=headers), **which)


def sent(html, values=None, **options):
    """The pairs that a form with these controls sends."""
    request = form(f"<form method=post action=/go>{html}</form>").submit(values, **options)
    return parse_qsl(request.body.decode(), keep_blank_values=True)


def test_what_the_page_has_filled_in_goes_along_with_what_is_given():
    request = form(
        """<form method="POST" action="/session"><input type=hidden name=csrf value="a b&c">
        <input name=user><input type=password name=pass><input type=submit name=go value=Login></form>"""
    ).submit({"user": "ann", "pass": "ü~*"}, "parse_home", meta={"n": 1}, session="ann", headers={"X-A": "1"})
    assert (request.method, request.url) == ("POST", "https://shop.test/session")
    assert request.body == b"csrf=a+b%26c&user=ann&pass=%C3%BC%7E*&go=Login"
    assert request.headers == {"Content-Type": "application/x-www-form-urlencoded", "X-A": "1"}
    assert (request.callback, request.meta, request.session) == ("parse_home", {"n": 1}, "ann")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<input name=a value=1 disabled><input name=b>", [("b", "")]),
        ("<input value=nameless><input name='' value=1>", []),
        ("<input type=checkbox name=a><input type=checkbox name=b checked>", [("b", "on")]),
        ("<input type=radio name=a value=1><input type=radio name=a value=2 checked>", [("a", "2")]),
        ("<input type=button name=a value=1><input type=reset name=b value=1><button type=reset name=c>c</button>", []),
        ("<textarea name=a>\nx\ny</textarea>", [("a", "x\r\ny")]),
        ("<input name=a value='1&#10;2'><input type=url name=b value=' x '>", [("a", "12"), ("b", "x")]),
        ("<input type=color name=a><input type=file name=b>", [("a", "#000000"), ("b", "")]),
        ("<select name=a><option>one  two</option><option value=2>x</option></select>", [("a", "one two")]),
        ("<select name=a><option disabled>1</option><option>2</option></select>", [("a", "2")]),
        ("<select name=a><optgroup disabled><option>1</option></optgroup><option>2</option></select>", [("a", "2")]),
        ("<select name=a><option selected>1</option><option selected>2</option></select>", [("a", "2")]),
        ("<select name=a size=3><option>1</option></select><select name=b></select>", []),
        ("<select name=a><option value='' disabled selected>Choose<option>1</option></select>", []),
        ("<select name=a multiple><option selected disabled>1<option selected>2</option></select>", [("a", "2")]),
        ("<input type=radio name=a value=1 checked><input type=radio name=a value=2 checked>", [("a", "2")]),
        ("<input type=hidden name=a value=0><input type=checkbox name=a>", [("a", "0")]),
        ("<button type=go name=a value=1>A</button><button name=b>B</button>", [("a", "1")]),
        ("<input name=a value=1><template><input name=b value=2></template>", [("a", "1")]),
        (
            "<select name=a multiple><option selected>1</option><option>2</option><option selected>3</option></select>",
            [("a", "1"), ("a", "3")],
        ),
        (
            """<fieldset disabled><legend><input name=a value=1></legend><input name=b value=2>
            <legend><input name=c value=3></legend></fieldset>""",
            [("a", "1")],
        ),
        ("<datalist><select name=a><option>1</option></select></datalist>", []),
        ("<input type=hidden name=_charset_><input name=t dirname=d value=x>",
         [("_charset_", "UTF-8"), ("t", "x"), ("d", "ltr")]),
        ("<button name=a value=1>A</button><button name=b value=2>B</button>", [("a", "1")]),
        ("<input type=image name=map>", [("map.x", "0"), ("map.y", "0")]),
        ("<input type=image>", [("x", "0"), ("y", "0")]),
        ("<button>Go</button>", []),
        ("<button disabled name=a value=1>A</button><button name=b value=2>B</button>", [("b", "2")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_each_control_submits_what_a_browser_would(html, expected):
    assert sent(html) == expected


@pytest.mark.parametrize(
    ("html", "values", "expected"),
    [
        ("<input type=checkbox name=a>", {"a": True}, [("a", "on")]),
        ("<input type=checkbox name=a checked>", {"a": False}, []),
        ("<input type=checkbox name=a value=1 checked><input type=checkbox name=a value=2>", {"a": 2}, [("a", "2")]),
        ("<input type=checkbox name=a value=1><input type=checkbox name=a value=2>", {"a": True}, [("a", "1"), ("a", "2")]),
        ("<input type=radio name=a value=1 checked><input type=radio name=a value=2>", {"a": "2"}, [("a", "2")]),
        ("<select name=a><option>1</option><option>2</option></select>", {"a": "2"}, [("a", "2")]),
        ("<select name=a multiple><option>1<option>2<option>3</select>", {"a": ["1", "3"]}, [("a", "1"), ("a", "3")]),
        ("<input name=a value=1><input name=a value=2>", {"a": ["x", "y"]}, [("a", "x"), ("a", "y")]),
        ("<input name=a value=1><input name=b value=2>", {"a": None}, [("b", "2")]),
        ("<textarea name=a>old</textarea>", {"a": "x\ny\rz"}, [("a", "x\r\ny\r\nz")]),
        ("<input type=file name=a>", {"a": ("photo.png", b"...")}, [("a", "photo.png")]),
        ("<input type=file name=a><input type=file name=a>", {"a": [("x.png", b"")]}, [("a", "x.png"), ("a", "")]),
        ("<input type=hidden name=a value=0><input type=checkbox name=a value=1>", {"a": True}, [("a", "0"), ("a", "1")]),
        ("<input type=hidden name=a value=0><input type=checkbox name=a value=1>", {"a": False}, [("a", "0")]),
        ("<input type=hidden name=a value=0><input type=checkbox name=a value=1>", {"a": 1}, [("a", "0"), ("a", "1")]),
        ("<input type=hidden name=a value=0><input type=checkbox name=a value=1>", {"a": ["9", "1"]}, [("a", "9"), ("a", "1")]),
        ("<input type=hidden name=a value=0><input type=checkbox name=a value=1>", {"a": "9"}, [("a", "9")]),
        ("<input type=hidden name=a value=0><input type=checkbox name=a value=1>", {"a": None}, []),
        ("<input type=hidden name=a><input type=radio name=a value=1>", {"a": "1"}, [("a", ""), ("a", "1")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_each_control_takes_values(html, values, expected):
    assert sent(html, values) == expected


def test_which_button_is_clicked():
    html = """<button name=do value=save>Save it</button><button name=del value=1 formaction=/delete
        formmethod=get>Remove</button><input type=submit id=plain>"""
    assert sent(html, button=False) == sent(html, button="plain") == []
    assert sent(html) == sent(html, button="do") == sent(html, button="save") == sent(html, button="Save it")
    assert sent(html) == [("do", "save")]
    page = form(f"<form method=post action=/go>{html}</form>")
    request = page.submit(button="Remove")
    assert (request.method, request.url, request.body) == ("GET", "https://shop.test/delete?del=1", None)


def test_extra_fields_go_last_and_may_be_anything():
    assert sent("<input name=a value=1>", extra={"b": [1, 2], "a": "x"}) == [
        ("a", "1"),
        ("b", "1"),
        ("b", "2"),
        ("a", "x"),
    ]


def test_controls_elsewhere_belong_to_the_form_that_they_name():
    page = """<input name=a value=1 form=f><form id=f><input name=b value=2><input name=c value=3 form=g></form>
        <button name=d value=4 form=f>Go</button><form id=g></form>"""
    assert form(page, id="f").fields == {"a": ["1"], "b": ["2"]}
    assert urlsplit(form(page, id="f").submit().url).query == "a=1&b=2&d=4"
    assert form(page, id="g").fields == {"c": ["3"]}
    assert form(page, css="[name=c]").fields == {"c": ["3"]}
    assert form(page, css="button").fields == {"a": ["1"], "b": ["2"]}
    with pytest.raises(ParseError, match="no form with css"):
        form("<button form=gone>Go</button>", css="button")


def test_a_form_may_lie_in_a_template():
    assert form("<template><form><input name=a value=1></form></template>").fields == {"a": ["1"]}


def test_a_get_takes_the_place_of_the_query():
    request = form("<form action='/search?old=1#top'><input name=q></form>").submit({"q": "a+b"})
    assert (request.method, request.url) == ("GET", "https://shop.test/search?q=a%2Bb")


def test_without_an_action_it_goes_to_the_page_itself_whatever_its_base():
    page = "<base href='https://static.test/x/'>"
    assert form(page + "<form method=post></form>").submit().url == URL
    assert form(page + "<form method=post action=' '></form>").submit().url == URL
    assert form(page + "<form method=post action=y></form>").submit().url == "https://static.test/x/y"
    assert form(page + "<form method=odd enctype=odd action=y></form>").method == "GET"


def test_files_go_as_multipart(tmp_path):
    photo = tmp_path / 'a"b.png'
    photo.write_bytes(b"\x89PNG")
    page = form("""<form method=post enctype=multipart/form-data><input name='x"y' value='1&#10;2' type=hidden>
        <input type=file name=photo><input type=file name=more multiple><input type=file name=none></form>""")
    request = page.submit({"photo": photo, "more": [("a.txt", "A"), ("b", b"B", "text/x")]})
    boundary = request.headers["Content-Type"].removeprefix("multipart/form-data; boundary=")
    *parts, last = request.body.split(b"--" + boundary.encode() + b"\r\n")[1:]
    parts.append(last.removesuffix(b"--" + boundary.encode() + b"--\r\n"))
    head = b'Content-Disposition: form-data; name="'
    assert parts == [
        head + b'x%22y"\r\n\r\n1\r\n2\r\n',
        head + b'photo"; filename="a%22b.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n',
        head + b'more"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nA\r\n',
        head + b'more"; filename="b"\r\nContent-Type: text/x\r\n\r\nB\r\n',
        head + b'none"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n',
    ]
    again = page.submit({"photo": photo, "more": [("a.txt", "A"), ("b", b"B", "text/x")]})
    assert again.body == request.body  # so that the dupe filter knows it again


def test_plain_text_and_other_charsets():
    plain = form("<form method=post enctype=text/plain><input name=a value='b c'><input name=d></form>").submit()
    assert (plain.body, plain.headers) == (b"a=b c\r\nd=\r\n", {"Content-Type": "text/plain"})
    latin = {"Content-Type": "text/html; charset=iso-8859-1"}
    page = b"<form method=post><input type=hidden name=_charset_><input name=a></form>"
    request = form(page, headers=latin).submit({"a": "é☃"})
    assert request.body == b"_charset_=windows-1252&a=%E9%26%239731%3B"
    page = b"<form method=post accept-charset='bogus utf-8'><input name=a></form>"
    assert form(page, headers=latin).submit({"a": "é"}).body == b"a=%C3%A9"


def test_forms_are_found_by_what_tells_them_apart():
    page = """<form name=search><input name=q></form>
        <div class=box><form id=login><input name=user><p class=in></p></form></div><form name=search id=two></form>"""
    assert form(page).fields == {"q": [""]}
    assert form(page, id="login").fields == form(page, index=1).fields == {"user": [""]}
    assert form(page, css=".box form").fields == form(page, css="p.in").fields == {"user": [""]}
    assert form(page, name="search", index=-1).fields == {}
    assert repr(form(page, id="login")) == f"<Form GET {URL} of user>"
    with pytest.raises(ParseError, match=r"no form with name='x' on .* it has: 'search', 'login', 'two'"):
        form(page, name="x")
    with pytest.raises(ParseError, match="no form on .* it has: none"):
        form("<p>nothing")


@pytest.mark.parametrize(
    ("html", "values", "options", "message"),
    [
        ("<input name=password>", {"pasword": 1}, {}, "no field 'pasword'.*did you mean 'password'"),
        ("<input name=a disabled>", {"zz": 1}, {}, "no field 'zz'.*it has none"),
        ("<select name=a><option>1<option>2</select>", {"a": "3"}, {}, "'a' can't have '3': only '1', '2'"),
        ("<select name=a><option>1<option>2</select>", {"a": ["1", "2"]}, {}, "'a' can't have '2'"),
        ("<input type=radio name=a value=1>", {"a": True}, {}, "'a' takes one of its values: '1'"),
        ("<input name=a>", {"a": ["1", "2"]}, {}, "'a' can't have '2': there are fewer of that name"),
        ("<input name=a>", {"a": {}}, {}, "takes text, a number or a list of them, not {}"),
        ("<input name=a>", {"a": True}, {}, "takes text, a number or a list of them, not True"),
        ("<input name=a>", {"a": False}, {}, "takes text, a number or a list of them, not False"),
        ("<input type=file name=a>", {"a": 5}, {}, "takes a file"),
        ("<button name=b>B</button>", {}, {"button": "x"}, "no button 'x'; it has 'b'"),
        ("", {}, {"button": "x"}, "no button 'x'; it has none"),
    ],
)
def test_what_a_form_can_not_send_is_said_in_one_line(html, values, options, message):
    with pytest.raises(RequestInvalid, match=message):
        form(f"<form>{html}</form>").submit(values, **options)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(RequestInvalid, match=r"gone\.png can't be read: No such file"):
        form("<form><input type=file name=a></form>").submit({"a": tmp_path / "gone.png"})


@pytest.mark.parametrize(
    "attributes", ["action=javascript:x()", "action=mailto:a@b.c", "method=dialog", "action=http://[x"]
)
@pytest.mark.parametrize("method", ["", "formmethod=post"], ids=["get", "post"])
def test_a_form_that_leads_nowhere_is_an_error(attributes, method):
    if method and "dialog" in attributes:
        method = "formmethod=dialog"
    with pytest.raises(RequestInvalid):
        form(f"<form {attributes}><button {method}>Go</button></form>").submit()
