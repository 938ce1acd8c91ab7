from uuid import uuid4

import pytest

from accounts.models import User
from conversations import services
from conversations.models import Message


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada@example.com", "correct horse battery")


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("eve@example.com", "correct horse battery")


@pytest.fixture
def question(user: User) -> Message:
    return services.post_message(user=user, content="When does it arrive?", client_id=uuid4()).message
