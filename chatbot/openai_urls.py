"""Everything under /v1/, where OpenAI's clients look for it."""

from django.urls import path

from . import openai_views

urlpatterns = [
    path("chat/completions", openai_views.CompletionsView.as_view()),
    path("models", openai_views.ModelsView.as_view()),
    path("models/<str:name>", openai_views.ModelView.as_view()),
]
