"""JSON texts on the edge: beyond the limits of parsers, or in an invalid encoding."""

from __future__ import annotations

UNSUPPORTED_JSON: list[str] = [
    '"\\ud800"',
    '"\\udfff"',
    '"\\ud800\\u0041"',
    '"\\udc00\\ud800"',
    '"a\\ud800"',
    '["\\ud800"]',
    '{"\\ud800":1}',
    '"\\ud83d"',
    "1" * 400,
    "1e309",
    "-1e309",
    "1e400",
    "1" * 400 + "e400",
    "[" * 1_100 + "]" * 1_100,
    '{"a":' * 1_100 + "1" + "}" * 1_100,
]
"""Texts that the grammar allows but leaves to each parser; the parsers of the pipeline reject them."""

LARGE_JSON: list[str] = [
    "[" * 1_000 + "]" * 1_000,
    '{"a":' * 1_023 + "1" + "}" * 1_023,
    "0." + "1" * 1_001,
    "-12." + "1" * 999,
    "1e-" + "0" * 1_000,
    '{"' + "k" * 50_001 + '":1}',
    '"' + "1" * 2_000 + '"',
    '"' + "[" * 2_000 + '"',
]
"""Valid JSON beyond the limits of some parsers."""

INVALID_ENCODINGS: list[bytes] = [
    b'"\xff"',
    b'"\xc3"',
    b'"\xc0\xaf"',
    b'"\xe0\x80\xaf"',
    b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"',
    b'"\xf8\x88\x80\x80\x80"',
    b'"\x80"',
    b"\xef\xbb\xbf1",
    '{"a":"é"}'.encode("latin-1"),
    '{"a":1}'.encode("utf-16"),
    '{"a":1}'.encode("utf-16-le"),
    '{"a":1}'.encode("utf-32"),
    b"\xfe\xff",
    b"\x00",
    b"",
    b" ",
    b"\x00" * 100,
    bytes(range(256)),
    b"\x1f\x8b\x08\x00",
]
"""Bytes that are not JSON in UTF-8."""
