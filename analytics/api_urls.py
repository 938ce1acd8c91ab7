from django.urls import path

from . import api_views

urlpatterns = [
    path("analytics/dashboard", api_views.DashboardView.as_view()),
    path("analytics/user/<uuid:user_id>", api_views.UserView.as_view()),
    path("analytics/conversations", api_views.ConversationsView.as_view()),
]
