import pytest

from accounts.models import User


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada@example.com", "correct horse battery")
