"""Reading clients' frames: every wrong one has a code, a field and a remedy."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.protocol import FRAME_BYTES, FrameError, Incoming, utf16_length


def frame(**fields: Any) -> Incoming:
    return Incoming.decode(orjson.dumps(fields).decode())


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '"x"', "null", "NaN"])
def test_not_an_object(text: str) -> None:
    with pytest.raises(FrameError) as error:
        Incoming.decode(text)
    assert error.value.frame["code"] == "bad_json"


@pytest.mark.parametrize("text", ["x" * (FRAME_BYTES + 1), "é" * (FRAME_BYTES // 2 + 1)])
def test_too_large(text: str) -> None:
    with pytest.raises(FrameError) as error:
        Incoming.decode(text)
    assert error.value.frame["code"] == "frame_too_large"


@pytest.mark.parametrize(
    ("fields", "read", "field"),
    [
        ({}, lambda f: f.uuid("client_id"), "client_id"),
        ({"client_id": "x"}, lambda f: f.uuid("client_id"), "client_id"),
        ({"client_id": 5}, lambda f: f.uuid("client_id"), "client_id"),
        ({"conversation_id": []}, lambda f: f.optional_uuid("conversation_id"), "conversation_id"),
        ({"after": -1}, lambda f: f.number("after"), "after"),
        ({"after": True}, lambda f: f.number("after"), "after"),
        ({"after": "1"}, lambda f: f.number("after"), "after"),
        ({"after": 2**60}, lambda f: f.number("after"), "after"),
        ({}, lambda f: f.text("content", shortest=1, longest=9), "content"),
        ({"content": "  \n"}, lambda f: f.text("content", shortest=1, longest=9), "content"),
        ({"content": "0123456789"}, lambda f: f.text("content", longest=9), "content"),
        ({"content": 5}, lambda f: f.text("content", longest=9), "content"),
        ({"value": "maybe"}, lambda f: f.choice("value", lambda v: v == "up", "only up"), "value"),
    ],
)
def test_wrong_fields_name_themselves(fields: dict[str, Any], read: Any, field: str) -> None:
    with pytest.raises(FrameError) as error:
        read(frame(**fields))
    assert error.value.frame["code"] == "invalid"
    assert error.value.frame["field"] == field


def test_errors_echo_what_identifies_the_frame() -> None:
    incoming = frame(client_id="c", conversation_id=5, message_id="m" * 100)
    assert incoming.where() == {"client_id": "c"}


def test_text_is_trimmed_and_nul_free() -> None:
    assert frame(content=" a\x00b ").text("content", longest=9) == "ab"


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(FrameError):
        Incoming({"content": "\ud800"}).text("content", longest=9)


@pytest.mark.parametrize(
    ("value", "code"), [("de", "de"), ("de-AT", "de"), ("DE", "de"), ("xx", ""), (5, ""), (None, "")]
)
def test_language_is_a_configured_one_or_the_conversations(value: Any, code: str) -> None:
    assert frame(language=value).language() == code


@given(st.text())
def test_utf16_length_is_what_javascript_counts(text: str) -> None:
    assert utf16_length(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2
