"""The public help pages: where a source under an answer leads."""

from itertools import groupby

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_GET

from . import selectors, services
from .models import FAQ


def _language(request: HttpRequest) -> str:
    wanted = request.GET.get("lang", "")
    return wanted if wanted in dict(settings.LANGUAGES) else (get_language() or "en")[:2]


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """All published FAQs by category, in the visitor's language, else in English."""
    faqs = selectors.published_by_category(_language(request)) or selectors.published_by_category("en")
    categories = [(category, list(rows)) for category, rows in groupby(faqs, key=lambda faq: faq.category)]
    return render(request, "faqs/index.html", {"categories": categories})


@require_GET
def article(request: HttpRequest, slug: str) -> HttpResponse:
    try:
        faq = selectors.article(slug, _language(request))
    except FAQ.DoesNotExist:
        raise Http404 from None
    services.count_view(faq_id=faq.pk)
    return render(request, "faqs/article.html", {"faq": faq, "related": selectors.related(faq)})
