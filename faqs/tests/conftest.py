import pytest

from accounts.models import User
from faqs.models import Category


@pytest.fixture
def admin(db: None) -> User:
    Category.objects.create(name="Delivery", slug="delivery")
    return User.objects.create_superuser("admin@example.com", "correct horse battery")
