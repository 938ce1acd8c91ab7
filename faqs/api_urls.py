from django.urls import path

from . import api_views

urlpatterns = [
    path("faqs", api_views.FAQsView.as_view()),
    path("faqs/search", api_views.SearchView.as_view()),
    path("faqs/categories", api_views.CategoriesView.as_view()),
    path("faqs/categories/<int:pk>", api_views.CategoryView.as_view()),
    path("faqs/<int:pk>", api_views.FAQView.as_view()),
]
