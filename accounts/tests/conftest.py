import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def nobody_has_guessed() -> None:
    """allauth counts failed sign-ins in the cache."""
    cache.clear()
