"""The public help centre: categories, FAQs, search, and "was this helpful?". Every page works without JavaScript."""

from itertools import groupby
from typing import Any

from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.module_loading import import_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.services import create_guest, visitor

from . import services
from .help import markup, selectors
from .help import services as votes
from .models import FAQ, Category

PAGE = 50


class SearchForm(forms.Form):
    q = forms.CharField(max_length=300, required=False)


class VoteForm(forms.Form):
    helpful = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")])


def _language(request: HttpRequest) -> str:
    wanted = request.GET.get("lang", "")
    return wanted if wanted in dict(settings.LANGUAGES) else (get_language() or "en")[:2]


def _canonical(request: HttpRequest, path: str) -> str:
    """The address under which a list in an explicit language, and a page of it, should be known."""
    named = {name: request.GET[name] for name in ("lang", "page") if request.GET.get(name) not in (None, "en", "1")}
    return request.build_absolute_uri(f"{path}?{urlencode(named)}" if named else path)


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """All published FAQs by category, in the visitor's language, else in English; with `q` what a search finds."""
    if "q" in request.GET:
        return _found(request)
    faqs = selectors.published_by_category(_language(request)) or selectors.published_by_category("en")
    categories = [(category, list(rows)) for category, rows in groupby(faqs, key=lambda faq: faq.category)]
    canonical = _canonical(request, reverse("faqs:index"))
    return render(request, "faqs/index.html", {"categories": categories, "canonical": canonical})


def _found(request: HttpRequest) -> HttpResponse:
    form = SearchForm(request.GET)
    context: dict[str, Any] = {"form": form, "query": request.GET["q"][:300], "language": _language(request)}
    if form.is_valid() and form.cleaned_data["q"]:
        search = import_string(settings.FAQ_SEARCH)
        context["passages"] = search(query=form.cleaned_data["q"], language=context["language"])
    return render(request, "faqs/search.html", context, status=200 if form.is_valid() else 400)


@require_GET
def category(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Category, slug=slug)
    language = _language(request)
    page = Paginator(selectors.published_in(found, language), PAGE).get_page(request.GET.get("page"))
    canonical = _canonical(request, reverse("faqs:category", args=[slug]))
    context = {
        "category": found,
        "page": page,
        "language": request.GET.get("lang") and language,
        "canonical": canonical,
    }
    return render(request, "faqs/category.html", context)


@require_GET
def article(request: HttpRequest, slug: str) -> HttpResponse:
    versions = selectors.versions(slug)
    if not versions:
        raise Http404
    faq = selectors.best_version(versions, _language(request))
    services.count_view(faq_id=faq.pk)
    html = markup.answer_html(faq)
    context = {
        "faq": faq,
        "related": selectors.related(faq),
        "vote": selectors.vote_of(visitor(request), faq),
        "versions": [(one, request.build_absolute_uri(one.get_absolute_url())) for one in versions],
        "canonical": request.build_absolute_uri(faq.get_absolute_url()),
        "description": markup.description(faq, html),
        "markup": markup.faq_page(faq, html),
    }
    return render(request, "faqs/article.html", context)


@require_POST
def vote(request: HttpRequest, faq_id: int) -> HttpResponse:
    """Note the visitor's verdict, of a guest too, and show the FAQ again."""
    form = VoteForm(request.POST)
    if not form.is_valid():
        message = _("Choose whether the answer was helpful or not.")
        return render(request, "error.html", {"heading": _("That did not work"), "message": message}, status=400)
    if not FAQ.objects.published().filter(pk=faq_id).exists():  # type: ignore[attr-defined]
        raise Http404
    try:
        faq = votes.vote(faq_id=faq_id, user=create_guest(request), helpful=form.cleaned_data["helpful"] == "yes")
    except FAQ.DoesNotExist:
        raise Http404 from None
    return redirect(f"{faq.get_absolute_url()}#helpful")


@require_GET
def robots(request: HttpRequest) -> HttpResponse:
    sitemap = request.build_absolute_uri(reverse("sitemaps"))
    lines = [
        "User-agent: *",
        "Disallow: /admin/",
        "Disallow: /accounts/",
        "Disallow: /chat/",
        f"Sitemap: {sitemap}",
        "",
    ]
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")
