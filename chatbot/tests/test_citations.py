from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.citations import Citations


def through(pieces: list[str], count: int) -> tuple[str, list[int]]:
    citations = Citations(count)
    text = "".join(citations.feed(piece) for piece in pieces) + citations.rest()
    return text, citations.cited


@pytest.mark.parametrize(
    ("text", "shown", "cited"),
    [
        ("Two days [1].", "Two days [1].", [1]),
        ("Two days [4].", "Two days .", []),
        ("Both [2, 1] hold", "Both [2][1] hold", [2, 1]),
        ("Half [1,9]", "Half [1]", [1]),
        ("Zero [0] and [999]", "Zero  and ", []),
        ("A [link](https://example.com) and a[b]", "A [link](https://example.com) and a[b]", []),
        ("[1][1] twice", "[1][1] twice", [1]),
        ("open [1", "open [1", []),
    ],
)
def test_only_given_passages_are_cited(text: str, shown: str, cited: list[int]) -> None:
    assert through([text], 3) == (shown, cited)


@given(st.text(alphabet="a [1]2,9(", max_size=40), st.lists(st.integers(1, 5), max_size=40))
def test_the_cut_of_the_stream_changes_nothing(text: str, sizes: list[int]) -> None:
    pieces, rest = [], text
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert through([*pieces, rest], 3) == through([text], 3)


def test_nothing_invalid_is_shown_even_for_a_moment() -> None:
    citations = Citations(1)
    assert citations.feed("See [") == "See "
    assert citations.feed("7") == ""
    assert citations.feed("] now") == " now"


async def test_filter_gives_what_is_left_at_the_end() -> None:
    async def pieces() -> AsyncIterator[str]:
        for piece in ("a [", "1", "] b", " ["):
            yield piece

    assert [piece async for piece in Citations(1).filter(pieces())] == ["a ", "[1] b", " ", "["]
