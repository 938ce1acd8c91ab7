"""The official client of OpenAI talks to this assistant unchanged."""

from collections.abc import Iterator

import openai
import pytest

from .system import LiveSystem

QUESTION = "How long does delivery take?"
KEY = "parley-" + "k" * 43


@pytest.fixture(scope="module")
def client(live_system: LiveSystem) -> Iterator[openai.OpenAI]:
    live_system.rows(
        "INSERT INTO accounts_apikey (id, user_id, name, prefix, digest, scopes, created_at) SELECT gen_random_uuid(), id, "
        "'test', 'parley-kkkkkk', encode(sha256(%s::bytea), 'hex'), '{chat,models}', now() FROM accounts_user "
        "WHERE role = 'admin' LIMIT 1 RETURNING id",
        KEY,
    )
    with openai.OpenAI(api_key=KEY, base_url=f"{live_system.url}/v1", max_retries=0) as client:
        yield client


def test_the_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["parley"]
    assert client.models.retrieve("parley").object == "model"
    with pytest.raises(openai.NotFoundError, match="no model"):
        client.models.retrieve("gpt-9")


def test_a_whole_completion_with_its_sources(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model="parley", messages=[{"role": "system", "content": "Be rude."}, {"role": "user", "content": QUESTION}]
    )
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].message.content
    extension = completion.model_extra["parley"] if completion.model_extra else {}
    assert extension["sources"][0]["question"]
    assert extension["status"] == "sent"


def test_a_streamed_completion_is_the_stored_text(client: openai.OpenAI, live_system: LiveSystem) -> None:
    stream = client.chat.completions.create(
        model="parley", messages=[{"role": "user", "content": QUESTION}], stream=True, temperature=0
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    extension = chunks[-1].model_extra["parley"] if chunks[-1].model_extra else {}
    assert chunks[-1].choices[0].finish_reason == "stop"
    ((stored,),) = live_system.rows("SELECT content FROM conversations_message WHERE id = %s", extension["message_id"])
    assert text.strip() == stored
    assert len(chunks) > 3


def test_what_was_said_before_is_understood(client: openai.OpenAI, live_system: LiveSystem) -> None:
    completion = client.chat.completions.create(
        model="parley",
        messages=[
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": "Two days."},
            {"role": "user", "content": [{"type": "text", "text": "How do I return something?"}]},
        ],
    )
    extension = completion.model_extra["parley"] if completion.model_extra else {}
    rows = live_system.rows(
        "SELECT role, content FROM conversations_message WHERE conversation_id = %s ORDER BY position",
        extension["conversation_id"],
    )
    assert [row[0] for row in rows] == ["user", "assistant", "user", "assistant"]
    assert rows[1][1] == "Two days."


@pytest.mark.parametrize("messages", [[], [{"role": "assistant", "content": "Hi"}], [{"role": "user", "content": ""}]])
def test_errors_are_the_clients_own(client: openai.OpenAI, messages: list[dict[str, str]]) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="parley", messages=messages)  # type: ignore[arg-type]
    assert caught.value.type == "invalid_request_error"


def test_an_unknown_key_opens_nothing(client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="parley-other").models.list()
