from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapekit.web.encodings import _CODECS, codec, decode, detect

# The whole table of https://encoding.spec.whatwg.org/#names-and-labels, and how Python names each encoding.
LABELS = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
    "cp866": "866 cp866 csibm866 ibm866",
    "iso8859-2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    "iso8859-3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    "iso8859-4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    "iso8859-5": "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988",
    "iso8859-6": "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    "iso8859-7": "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 sun_eu_greek",
    "iso8859-8": "csiso88598i iso-8859-8-i logical csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 visual",
    "iso8859-10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "iso8859-13": "iso-8859-13 iso8859-13 iso885913",
    "iso8859-14": "iso-8859-14 iso8859-14 iso885914",
    "iso8859-15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "iso8859-16": "iso-8859-16",
    "koi8-r": "cskoi8r koi koi8 koi8-r koi8_r",
    "koi8-u": "koi8-ru koi8-u",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp1250": "cp1250 windows-1250 x-cp1250",
    "cp1251": "cp1251 windows-1251 x-cp1251",
    "cp1252": "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
    "cp1253": "cp1253 windows-1253 x-cp1253",
    "cp1254": "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 windows-1254 x-cp1254",
    "cp1255": "cp1255 windows-1255 x-cp1255",
    "cp1256": "cp1256 windows-1256 x-cp1256",
    "cp1257": "cp1257 windows-1257 x-cp1257",
    "cp1258": "cp1258 windows-1258 x-cp1258",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": "gb18030 chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc_jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "iso2022_jp": "csiso2022jp iso-2022-jp",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949",
    "utf-16-be": "unicodefffe utf-16be",
    "utf-16-le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
}


@pytest.mark.parametrize("name", LABELS)
def test_every_label_of_the_standard_is_known(name):
    assert {label: codec(label) for label in LABELS[name].split()} == dict.fromkeys(LABELS[name].split(), name)


@pytest.mark.parametrize(
    "label",
    [
        "",
        "binary",
        "utf-7",
        "utf-32",
        "rot13",
        "hex",
        "zip",
        "idna",
        "punycode",
        "unicode_escape",
        "undefined",
        "none",
        "x",
        "\x00",
        "ä" * 99,
    ],
)
def test_a_label_that_no_browser_knows_is_none(label):
    assert codec(label) is None


def test_labels_are_read_without_regard_to_case_and_space():
    assert codec(" Shift_JIS\n") == "cp932"


META = b'<html><head><meta charset="%s"><title>'


@pytest.mark.parametrize(
    ("body", "header", "found"),
    [
        (codecs.BOM_UTF8 + b"x", "text/html; charset=latin1", "utf-8"),
        (codecs.BOM_UTF16_LE + "x".encode("utf-16-le"), "text/html; charset=utf-8", "utf-16-le"),
        (codecs.BOM_UTF16_BE + "x".encode("utf-16-be"), None, "utf-16-be"),
        (b"x", "text/html; charset=UTF-8", "utf-8"),
        (META % b"koi8-r", "text/html; charset=iso-8859-1", "cp1252"),
        (b"x", "text/html; charset=us-ascii", "cp1252"),
        (b"x", "text/html; charset=gb2312", "gb18030"),
        (b"x", 'text/html; charset="Shift_JIS"', "cp932"),
        (b"x", "text/html; charset=utf-16", "utf-16-le"),
        (META % b"koi8-r", "text/html; charset=nonsense", "koi8-r"),
        (META % b"koi8-r", "text/html", "koi8-r"),
        (META % b"koi8-r", None, "koi8-r"),
        (b'<meta http-equiv=content-type content="text/html; charset=windows-1251">', None, "cp1251"),
        (b'<?xml version="1.0" encoding="ISO-8859-15"?><a/>', "text/xml", "iso8859-15"),
        (META % b"utf-16", None, "utf-8"),
        (META % b"rot13", None, "utf-8"),
        (META % b"koi8-r" + codecs.BOM_UTF8, None, "koi8-r"),
        (codecs.BOM_UTF16_LE + b"\0\0x\0", None, "utf-16-le"),
        (b"\0\0\xfe\xffx", None, "cp1252"),
        ("<?xml version='1.0'?><a/>".encode("utf-16-le"), "text/xml", "utf-16-le"),
        ("<?xml version='1.0'?><a/>".encode("utf-16-be"), None, "utf-16-be"),
        ("<?xml version='1.0'?><a/>".encode("utf-16-be"), "text/xml; charset=koi8-r", "koi8-r"),
        (b'{"page": "<meta charset=koi8-r>"}', "application/json", "utf-8"),
        (b'{"page": "<meta charset=koi8-r> \xe4"}', "text/plain", "cp1252"),
        (META % b"koi8-r", "application/xhtml+xml", "koi8-r"),
        (META % b"koi8-r", "nonsense", "koi8-r"),
        (META % b"nonsense" + b"\xe4", None, "cp1252"),
        ("ä".encode(), None, "utf-8"),
        (b"\xe4\xf6\xfc.", None, "cp1252"),
        (b"", None, "utf-8"),
        (b"", "", "utf-8"),
    ],
)
def test_the_encoding_is_found_in_the_order_of_browsers(body, header, found):
    assert detect(body, header) == found


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("日本語 ①", "shift_jis"),
        ("中文 €", "gb2312"),
        ("“ü”", "iso-8859-1"),
        ("ё", "koi8-r"),
        ("한", "euc-kr"),
        ("ü", "utf-16be"),
    ],
)
def test_text_comes_back_whole(text, label):
    name = codec(label)
    body = text.encode(name)
    assert detect(body, f"text/html; charset={label}") == name
    assert decode(body, name) == text


@pytest.mark.parametrize("name", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
def test_one_bom_is_stripped(name):
    assert decode("\ufeff\ufeffx".encode(name), name) == "\ufeffx"
    assert decode(b"", name) == ""


def test_what_cant_be_decoded_is_replaced():
    assert decode(b"a\xffb", "utf-8") == "a\ufffdb"
    assert decode(b"a\x81b", "cp1252") == "a\ufffdb"


@given(st.binary(), st.sampled_from(sorted(_CODECS)))
def test_decode_never_raises(body, name):
    assert isinstance(decode(body, name), str)


@given(
    st.binary()
    | st.binary().map((META % b"%s").__mod__)
    | st.sampled_from([b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"\xef\xbb"]),
    st.none() | st.text() | st.text().map("text/html; charset={}".format),
)
def test_whatever_is_detected_decodes(body, header):
    assert isinstance(decode(body, detect(body, header)), str)
