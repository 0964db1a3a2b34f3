"""Bodies: complete, or an error; never more memory than the limit."""

import contextlib
import gc
import gzip
import random
import tracemalloc
import zlib

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from rawserver import chunked, reply

from scrapekit.download import decoding
from scrapekit.errors import BodyTooLarge, ProtocolError, TruncatedBody
from scrapekit.messages import Request

PAGE = b"<p>some text that compresses, some text that compresses</p>" * 300


def raw_deflate(data):
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


@pytest.fixture(params=[*ENCODERS, "raw"])
def coding(request):
    if request.param == "raw":
        return "deflate", raw_deflate
    return request.param, ENCODERS[request.param]


FRAMINGS = {
    "length": reply,
    "chunks": lambda body, *headers: chunked(*[body[n : n + 100] for n in range(0, len(body), 100)]).replace(
        b"\r\n", ("\r\n" + "".join(f"{h}\r\n" for h in headers)).encode(), 1
    ),
    "close": lambda body, *headers: reply(body, *headers, length=False),
}


@pytest.fixture(params=FRAMINGS)
def framed(request):
    return FRAMINGS[request.param]


@pytest.fixture
def serve(site):
    """Serves these bytes, then closes."""

    def use(data):
        site.routes["/"] = lambda talk: talk.send(data) or True
        return f"{site.url}/"

    return use


def test_each_coding_is_decoded_in_each_framing(serve, fetch, coding, framed):
    name, encode = coding
    got = fetch(serve(framed(encode(PAGE), f"Content-Encoding: {name.upper()}")))
    assert (got.body, got.flags) == (PAGE, ())


def test_each_coding_cut_off_is_truncated(serve, fetch, coding, framed):
    """Also with a Content-Length that matches: nothing but the coding itself can tell."""
    name, encode = coding
    data = encode(PAGE)
    for cut in (1, len(data) // 2, len(data) - 1):
        with pytest.raises(TruncatedBody, match=f"breaks off within its {name}"):
            fetch(serve(framed(data[:cut], f"Content-Encoding: {name}")))


def test_a_body_without_coding_comes_as_it_is(serve, fetch, framed):
    assert fetch(serve(framed(PAGE))).body == PAGE
    assert fetch(serve(framed(PAGE, "Content-Encoding: identity"))).body == PAGE


def test_an_empty_body_may_be_labelled(plain, fetch):
    plain.routes["/"] = reply(b"", "Content-Encoding: gzip")
    plain.routes["/chunked"] = chunked().replace(b"\r\n", b"\r\nContent-Encoding: br\r\n", 1)
    assert fetch(f"{plain.url}/").body == b""
    assert fetch(f"{plain.url}/chunked").body == b""
    plain.routes["/"] = reply(b"", "Content-Encoding: gzip", "Content-Length: 500", length=False)
    assert fetch(f"{plain.url}/", method="HEAD").body == b""
    assert plain.accepted == 1


def test_stacked_codings_are_undone_in_reverse(serve, fetch):
    data = zstd.compress(brotli.compress(gzip.compress(PAGE)))
    assert fetch(serve(reply(data, "Content-Encoding: gzip, br", "Content-Encoding: zstd"))).body == PAGE
    with pytest.raises(ProtocolError, match="Too many content encodings"):
        fetch(serve(reply(data, "Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip")))


def test_an_unknown_coding_is_flagged_and_left(serve, fetch):
    got = fetch(serve(reply(b"text", "Content-Encoding: utf-8")))
    assert (got.body, got.flags) == (b"text", ("unknown_encoding",))


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_wrong_label_is_a_protocol_error(serve, fetch, name):
    with pytest.raises(ProtocolError, match=f"is not {name}, as its Content-Encoding says, or is damaged"):
        fetch(serve(reply(b"<html>plain text, and not so short</html>" * 10, f"Content-Encoding: {name}")))


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_members_follow_each_other_and_what_comes_after_is_ignored(serve, fetch, name):
    encode = ENCODERS[name]
    data = encode(PAGE) + encode(b"") + encode(b"second")
    assert fetch(serve(reply(data, f"Content-Encoding: {name}"))).body == PAGE + b"second"
    assert fetch(serve(reply(data + b"\0\0trailing", f"Content-Encoding: {name}"))).body == PAGE + b"second"


def test_what_comes_after_deflate_is_ignored(serve, fetch):
    assert fetch(serve(reply(zlib.compress(PAGE) + b"trailing", "Content-Encoding: deflate"))).body == PAGE


def test_what_comes_after_brotli_in_a_later_piece_is_ignored():
    assert b"".join(decoding.decoded("br", [brotli.compress(PAGE), b"trailing"], lambda size: None)) == PAGE


def test_a_large_body_is_decoded_in_slices(serve, fetch):
    body = b"".join(zlib.crc32(n.to_bytes(4)).to_bytes(4) for n in range(100_000))
    for name, encode in ENCODERS.items():
        assert fetch(serve(reply(encode(body), f"Content-Encoding: {name}"))).body == body


def test_members_with_something_in_them_may_be_many():
    data = gzip.compress(b"x" * 2000) * 6000  # as block-gzipped files have them
    assert sum(map(len, decoding.decoded("gzip", [data], lambda size: None))) == 12_000_000


def test_millions_of_empty_members_are_refused(serve, fetch):
    with pytest.raises(ProtocolError, match="over 4096 gzip streams"):
        fetch(serve(reply(gzip.compress(b"") * 5000, "Content-Encoding: gzip")))


def test_a_bomb_is_stopped_at_the_limit(serve, fetch, make, coding, framed):
    name, encode = coding
    limit = 1_000_000
    bomb = brotli.compress(b"\0" * 20_000_000, quality=4) if name == "br" else encode(b"\0" * 20_000_000)
    url = serve(framed(bomb, f"Content-Encoding: {name}"))
    downloader = make(max_body=limit)
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge, match=f"over {limit} bytes when decoded"):
            fetch(url, using=downloader)
        assert tracemalloc.get_traced_memory()[1] < 8 * limit
    finally:
        tracemalloc.stop()


def test_the_limit_itself_is_allowed(serve, fetch, make, coding, framed):
    name, encode = coding
    downloader = make(max_body=len(PAGE))
    assert fetch(serve(framed(encode(PAGE), f"Content-Encoding: {name}")), using=downloader).body == PAGE
    assert fetch(serve(framed(PAGE)), using=downloader).body == PAGE
    with pytest.raises(BodyTooLarge):
        fetch(serve(framed(PAGE + b"x")), using=downloader)
    with pytest.raises(BodyTooLarge):
        fetch(serve(framed(encode(PAGE + b"x"), f"Content-Encoding: {name}")), using=downloader)


def test_an_announced_size_is_enough_to_refuse(site, fetch):
    site.routes["/"] = lambda talk: talk.send(reply("", "Content-Length: 5000000000", length=False)) or talk.hang()
    with pytest.raises(BodyTooLarge, match="a body of 5000000000 bytes is announced"):
        fetch(f"{site.url}/")
    assert fetch(f"{site.url}/", method="HEAD").body == b""


def test_an_endless_body_is_stopped_at_the_limit(site, fetch, make):
    site.routes["/"] = lambda talk: talk.send(b"HTTP/1.1 200 OK\r\n\r\n") or talk.drip(b"x" * 65_536, every=0)
    with pytest.raises(BodyTooLarge, match="over the limit of 300000 bytes"):
        fetch(f"{site.url}/", using=make(max_body=300_000))


def test_a_short_body_is_truncated(serve, fetch):
    with pytest.raises(TruncatedBody, match="ended after 4 of 10 bytes"):
        fetch(serve(reply("half", "Content-Length: 10", length=False)))


@pytest.mark.parametrize(
    "end",
    [b"", b"5", b"5\r\n", b"5\r\nab", b"5\r\nabcde"],
    ids=["no last chunk", "size cut", "no data", "data cut", "no end of data"],
)
def test_cut_chunks_are_truncated(serve, fetch, end):
    with pytest.raises(TruncatedBody):
        fetch(serve(chunked(b"abc", end=end)))


@pytest.mark.parametrize("size", [b"zz", b"-5", b"-1", b"1_0", b" 5", b"+5", b"0x5", b"", b";a", b"f" * 17])
def test_malformed_chunk_sizes_are_errors(serve, fetch, size):
    with pytest.raises(ProtocolError, match="malformed chunk size"):
        fetch(serve(chunked(b"first", end=size + b"\r\nabcde\r\n0\r\n\r\n")))


def test_chunk_sizes_may_have_zeros_spaces_after_them_and_extensions(site, fetch):
    site.routes["/"] = chunked(end=b"0005 ;a=b\r\nabcde\r\nA;" + b"x" * 5000 + b"\nfghijklmno\n0;last\r\n\r\n")
    assert fetch(f"{site.url}/").body == b"abcdefghijklmno"
    assert fetch(f"{site.url}/").body == b"abcdefghijklmno"
    assert site.accepted == 1


def test_chunk_extensions_and_trailers_have_limits(serve, fetch):
    with pytest.raises(ProtocolError, match="a line of over 8192 bytes"):
        fetch(serve(chunked(end=b"5;" + b"x" * 3_000_000 + b"\r\nabcde\r\n0\r\n\r\n")))
    with pytest.raises(ProtocolError, match="trailers of over"):
        fetch(serve(chunked(b"abc", end=b"0\r\n" + (b"X: " + b"y" * 100 + b"\r\n") * 5000 + b"\r\n")))


def test_a_chunk_has_the_size_that_it_says(serve, fetch):
    with pytest.raises(ProtocolError, match="longer than its size"):
        fetch(serve(chunked(end=b"3\r\nabcdef\r\n0\r\n\r\n")))


def test_a_huge_chunk_is_stopped_at_the_limit(site, fetch, make):
    site.routes["/"] = lambda talk: talk.send(chunked(end=b"f" * 16 + b"\r\n")) or talk.drip(b"x" * 65_536, every=0)
    with pytest.raises(BodyTooLarge, match="over the limit of 300000 bytes"):
        fetch(f"{site.url}/", using=make(max_body=300_000))


@pytest.mark.parametrize("end", [b"0\r\n", b"0\r\nX-Trailer: 1\r\n", b"0\r\nX-Tr"])
def test_after_the_last_chunk_the_connection_may_end(serve, fetch, end):
    assert fetch(serve(chunked(b"abc", end=end))).body == b"abc"


def test_many_tiny_chunks_take_no_memory(plain, fetch, make):
    plain.routes["/"] = chunked(end=b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n")
    tracemalloc.start()
    try:
        assert fetch(f"{plain.url}/", using=make(total_timeout=60)).body == b"a" * 100_000
        assert tracemalloc.get_traced_memory()[1] < 7_000_000
    finally:
        tracemalloc.stop()


def test_trailers_are_read_over(site, fetch):
    site.routes["/t"] = chunked(b"abc", end=b"0\r\nX-Trailer: 1\r\n\r\n")
    assert fetch(f"{site.url}/t").body == b"abc"
    assert fetch(f"{site.url}/t").body == b"abc"
    assert site.accepted == 1


def test_equal_content_lengths_are_one(site, fetch):
    site.routes["/"] = reply("abc", "Content-Length: 3", "Content-Length: 3, 3", length=False)
    assert fetch(f"{site.url}/").body == b"abc"
    assert fetch(f"{site.url}/").body == b"abc"
    assert site.accepted == 1


def test_unequal_content_lengths_are_refused(site, fetch):
    site.routes["/"] = reply("abc", "Content-Length: 3", "Content-Length: 4", length=False)
    with pytest.raises(ProtocolError, match="Content-Length is both"):
        fetch(f"{site.url}/")


def test_chunks_win_over_a_length_and_the_connection_is_not_trusted(site, fetch):
    site.routes["/"] = chunked(b"abc").replace(b"\r\n", b"\r\nContent-Length: 1\r\n", 1)
    assert fetch(f"{site.url}/").body == b"abc"
    assert fetch(f"{site.url}/").body == b"abc"
    assert site.accepted == 2


@pytest.mark.parametrize("length", ["-5", "1_0", "+5", "0x5", "five", "5 5"])
def test_a_malformed_content_length_is_an_error(site, fetch, length):
    site.routes["/"] = lambda talk: talk.send(reply("hello", f"Content-Length: {length}", length=False)) or talk.hang()
    with pytest.raises(ProtocolError, match="malformed Content-Length"):
        fetch(f"{site.url}/")


def test_an_empty_content_length_is_none(serve, fetch):
    assert fetch(serve(reply("hello", "Content-Length:", length=False))).body == b"hello"


def test_a_content_length_of_many_digits_is_refused(serve, fetch):
    with pytest.raises(BodyTooLarge):
        fetch(serve(reply("hello", "Content-Length: " + "9" * 20, length=False)))
    with pytest.raises(ProtocolError):
        fetch(serve(reply("hello", "Content-Length: " + "9" * 5000, length=False)))


def test_an_unknown_transfer_coding_is_an_error(serve, fetch):
    with pytest.raises(ProtocolError, match="unknown Transfer-Encoding gzip, chunked"):
        fetch(serve(chunked(b"abc").replace(b" chunked", b" gzip, chunked", 1)))


def test_a_response_pushed_unasked_answers_no_other_request(site, fetch):
    site.routes["/push"] = lambda talk: talk.send(reply("first"))
    assert fetch(f"{site.url}/push").body == b"first"
    site.push(reply("unasked"))
    assert fetch(f"{site.url}/").body == b"hello"
    assert site.accepted == 2


def test_what_tls_has_decrypted_beyond_the_end_answers_no_other_request(make_site, tls, fetch):
    """The body is read up to its last byte, in the middle of a TLS record."""
    site = make_site(tls)
    body = b"x" * 32_768 * 3
    site.routes["/two"] = reply(body, "X: " + "y" * 20) + reply("unasked") * 200
    got = fetch(f"{site.url}/two")
    assert (got.body, got.flags) == (body, ("extra_bytes",))
    assert fetch(f"{site.url}/").body == b"hello"


def test_an_end_of_tls_that_nobody_has_signed_is_flagged(make_site, tls, fetch, make):
    site = make_site(tls)
    site.routes["/"] = lambda talk: talk.send(reply(PAGE, length=False)) or True
    assert fetch(f"{site.url}/").flags == ()
    site.unclean = True
    got = fetch(f"{site.url}/")
    assert (got.body, got.flags) == (PAGE, ("unclean_close",))
    site.routes["/"] = lambda talk: talk.send(reply(PAGE)) or True
    assert fetch(f"{site.url}/").flags == ()
    site.routes["/"] = lambda talk: talk.send(reply("half", "Content-Length: 10", length=False)) or True
    with pytest.raises(TruncatedBody):
        fetch(f"{site.url}/")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_body_where_none_may_be_is_not_taken_for_the_next_response(site, fetch, status):
    site.routes["/none"] = reply("unexpected", status=status)
    assert fetch(f"{site.url}/none").body == b""
    assert fetch(f"{site.url}/").body == b"hello"


def test_a_bomb_below_the_size_limit_is_stopped_by_its_ratio(serve, fetch, make, coding):
    name, encode = coding
    bomb = brotli.compress(b"\0" * 20_000_000, quality=4) if name == "br" else encode(b"\0" * 20_000_000)
    url = serve(reply(bomb, f"Content-Encoding: {name}"))
    with pytest.raises(BodyTooLarge, match="250 to 1 is the limit"):
        fetch(url, using=make(max_body=10**9))
    got = fetch(url, using=make(max_body=10**9, max_ratio=10**6, spool_above=10**9))
    assert len(got.body) == 20_000_000


def test_a_stacked_bomb_is_judged_by_what_came_over_the_wire(serve, fetch, make):
    bomb = zstd.compress(gzip.compress(gzip.compress(b"\0" * 100_000_000)))
    with pytest.raises(BodyTooLarge, match="250 to 1 is the limit"):
        fetch(serve(reply(bomb, "Content-Encoding: gzip, gzip, zstd")), using=make(max_body=10**9))


def test_a_small_page_may_have_any_ratio(serve, fetch):
    page = b"<tr><td></td></tr>" * 200_000
    assert fetch(serve(reply(gzip.compress(page), "Content-Encoding: gzip"))).body == page


@given(
    st.binary(max_size=3000).map(lambda data: data * 40),
    st.sampled_from([*ENCODERS.items(), ("deflate", raw_deflate)]),
    st.integers(1, 5000),
    st.sampled_from([1, 7, 300, 2**18]),
)
def test_pieces_of_any_size_are_decoded_as_one(data, coding, size, piece):
    name, encode = coding
    encoded = encode(data)
    sizes = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "PIECE", piece)
        pieces = [encoded[n : n + size] for n in range(0, len(encoded), size)]
        if piece > 1 or len(data) < 5000:
            assert b"".join(decoding.decoded(name, pieces, sizes.append)) == data
            assert max(sizes, default=0) == len(data)


@given(st.binary(min_size=1, max_size=300), st.sampled_from(sorted(ENCODERS)), st.booleans())
def test_any_bytes_are_decoded_or_refused(data, name, cut):
    if cut:
        data = ENCODERS[name](data)[:-1]
    try:
        b"".join(decoding.decoded(name, [data], lambda size: None))
    except (ProtocolError, TruncatedBody):
        return
    assert not cut


def test_codings_are_told_apart():
    assert decoding.codings("gzip, , Identity, BR") == (["br", "gzip"], True)
    assert decoding.codings("foo, gzip") == (["gzip"], False)
    assert decoding.codings("gzip, foo") == ([], False)
    assert decoding.codings("") == ([], True)


def test_what_came_of_a_failed_body_does_not_wait_for_the_garbage_collector(serve, fetch):
    url = serve(reply(gzip.compress(random.Random(0).randbytes(1_000_000))[:-1], "Content-Encoding: gzip"))
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        for _ in range(3):
            with contextlib.suppress(TruncatedBody):
                raise AssertionError(fetch(url))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert held < 500_000


def test_the_beginning_is_enough_where_no_more_is_asked_for(serve, coding, framed, make):
    name, encode = coding
    page = random.Random(0).randbytes(300_000)
    url = serve(framed(encode(page), f"Content-Encoding: {name}"))
    got = make(max_body=1000, spool_above=500).fetch(Request(url), host="h", first=100_000)
    assert (b"".join([bytes(got.body)] if isinstance(got.body, bytes) else got.body.pieces(2**16))) == page[:100_000]
    assert got.flags == ("cut",)


def test_what_is_shorter_than_that_is_whole(serve, make):
    got = make(max_body=1000).fetch(Request(serve(reply(PAGE))), host="h", first=100_000)
    assert (got.body, got.flags) == (PAGE, ())
