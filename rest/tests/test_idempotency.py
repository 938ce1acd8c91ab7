"""A POST with a key happens once, whatever the network does."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory, force_authenticate

from accounts.models import User
from rest.idempotency import Idempotent

Send = Callable[..., Any]


class Counting(Idempotent):
    """Counts how often it was really called."""

    calls = 0
    code = 201
    throttle_classes = ()

    def post(self, request: Any) -> Response:
        type(self).calls += 1
        return Response({"call": type(self).calls} if self.code != 204 else None, self.code)


@pytest.fixture
def view() -> type[Counting]:
    return type("Fresh", (Counting,), {"calls": 0})


@pytest.fixture
def send(user: User, view: type[Counting]) -> Send:
    def post(key: str | None, data: Any = None, person: User = user) -> Any:
        headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
        request = APIRequestFactory().post("/somewhere", data or {}, format="json", **headers)
        force_authenticate(request, person)
        return view.as_view()(request)

    return post


def test_the_same_request_gets_the_first_answer_again(send: Send, view: type[Counting]) -> None:
    key = str(uuid4())
    first, second = send(key, {"a": 1}), send(key, {"a": 1})
    assert (first.status_code, first.data) == (second.status_code, second.data) == (201, {"call": 1})
    assert (first.has_header("Idempotent-Replayed"), second["Idempotent-Replayed"]) == (False, "true")
    send(None)
    assert view.calls == 2


def test_another_request_under_the_same_key_is_refused(send: Send, view: type[Counting]) -> None:
    key = str(uuid4())
    send(key, {"a": 1})
    refused = send(key, {"a": 2})
    assert (refused.status_code, refused.data["code"]) == (422, "key_reused")
    assert view.calls == 1


def test_keys_belong_to_their_person(send: Send, view: type[Counting]) -> None:
    key = str(uuid4())
    other = User.objects.create_user("eve@example.com", "x")
    assert [send(key).data, send(key, person=other).data] == [{"call": 1}, {"call": 2}]


def test_one_of_many_at_once_is_done_and_the_others_wait_or_see_it(send: Send, view: type[Counting]) -> None:
    key = str(uuid4())
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: send(key).status_code, range(8)))
    assert view.calls == 1
    assert set(codes) <= {201, 409}


def test_what_failed_for_the_moment_may_be_tried_again(send: Send, view: type[Counting]) -> None:
    key = str(uuid4())
    view.code = 503
    assert send(key).status_code == 503
    view.code = 204
    assert [send(key).status_code for _ in range(2)] == [204, 204]
    assert view.calls == 2


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "é"])
def test_keys_that_are_none_are_refused(send: Send, key: str) -> None:
    assert send(key).data["fields"].keys() == {"Idempotency-Key"}


def test_without_redis_a_promise_that_cannot_be_kept_is_not_given(
    send: Send, view: type[Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.exceptions import ConnectionError as Gone

    def gone(*args: Any) -> None:
        raise Gone

    monkeypatch.setattr(cache, "add", gone)
    assert (send("key").data["code"], view.calls) == ("unavailable", 0)


def test_what_was_done_is_told_when_redis_goes_meanwhile(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.exceptions import ConnectionError as Gone

    def gone(*args: Any) -> None:
        raise Gone

    monkeypatch.setattr(cache, "set", gone)
    assert (send(str(uuid4())).status_code, send(str(uuid4())).data) == (201, {"call": 2})


def test_a_real_endpoint_replays(user: User) -> None:
    client = APIClient()
    client.force_authenticate(user)
    key = str(uuid4())
    answers = [
        client.post("/api/v1/conversations", {"client_id": client_id}, HTTP_IDEMPOTENCY_KEY=key)
        for client_id in [str(uuid4())] * 2
    ]
    assert json.loads(answers[0].content) == json.loads(answers[1].content)
    assert answers[1]["Idempotent-Replayed"] == "true"
    assert connection.connection is not None
