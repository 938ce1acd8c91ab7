from django.apps import AppConfig


class FAQsConfig(AppConfig):
    name = "faqs"
    verbose_name = "Knowledge base"
