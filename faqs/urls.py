from django.urls import path

from . import views

app_name = "faqs"

urlpatterns = [
    path("", views.index, name="index"),
    path("category/<slug:slug>", views.category, name="category"),
    path("<int:faq_id>/vote", views.vote, name="vote"),
    path("<slug:slug>", views.article, name="article"),
]
