"""The application for uvicorn, loaded and frozen as `chatbot/serve.py` does it for daphne."""

from django.urls import get_resolver

from chatbot import collector
from chatbot.asgi import application

get_resolver().url_patterns  # noqa: B018
collector.freeze()

__all__ = ["application"]
