from django.apps import AppConfig


class RestConfig(AppConfig):
    """What every endpoint shares. It knows no other app."""

    name = "rest"
