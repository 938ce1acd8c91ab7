from django.urls import path

from . import api_views

urlpatterns = [
    path("conversations", api_views.ConversationsView.as_view()),
    path("conversations/<uuid:conversation_id>", api_views.ConversationView.as_view()),
    path("conversations/<uuid:conversation_id>/messages", api_views.MessagesView.as_view()),
    path("messages/<uuid:message_id>/feedback", api_views.FeedbackView.as_view()),
    path("messages/<uuid:message_id>/regenerate", api_views.RegenerateView.as_view()),
    path("messages/<uuid:message_id>/read", api_views.ReadView.as_view()),
]
