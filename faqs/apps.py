from django.apps import AppConfig


class FAQsConfig(AppConfig):
    name = "faqs"
    verbose_name = "Knowledge base"

    def ready(self) -> None:
        from . import history  # noqa: F401 - its receiver
