"""The pages on which people see and decide what happens to their account and data."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from .models import User
from .privacy import consent, erasure, export
from .privacy.forms import ConsentForm, EraseForm
from .privacy.models import Consent, Export
from .services import visitor

P = ParamSpec("P")
PersonView = Callable[Concatenate[HttpRequest, User, P], HttpResponse]


def personal(view: PersonView[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Gives a view the visitor, account or guest; without one the way to sign in. Never cached."""

    @never_cache
    @wraps(view)
    def wrapper(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        person = visitor(request)
        return view(request, person, *args, **kwargs) if person else redirect("account_login")

    return cast(Callable[Concatenate[HttpRequest, P], HttpResponse], wrapper)


def sensitive(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Asks the holder of an account for their password again; a guest has none."""
    protected: Callable[..., HttpResponse] = reauthentication_required(
        view, enabled=lambda request: request.user.is_authenticated
    )
    return protected


@require_GET
@personal
def overview(request: HttpRequest, person: User) -> HttpResponse:
    """What there is to see and set; a guest has only data."""
    return redirect("privacy") if person.is_guest else render(request, "account/overview.html")


def _page(
    request: HttpRequest,
    person: User,
    *,
    erase_form: EraseForm | None = None,
    status: int = 200,
) -> HttpResponse:
    standings = consent.standings(person)
    context = {
        "consent_form": ConsentForm(standings=standings),
        "export": person.exports.defer("archive").first(),
        "erasure": erasure.pending(person),
        "erase_form": erase_form or EraseForm(),
        "history": person.consents.all()[:20],
    }
    return render(request, "privacy/privacy.html", context, status=status)


@require_GET
@personal
def privacy(request: HttpRequest, person: User) -> HttpResponse:
    return _page(request, person)


@require_POST
@personal
def decide(request: HttpRequest, person: User) -> HttpResponse:
    form = ConsentForm(request.POST, standings=consent.standings(person))
    if form.is_valid():
        consent.decide(
            user=person,
            decisions=form.cleaned_data,
            source=Consent.Source.PAGE,
            address=get_adapter().get_client_ip(request),
        )
        messages.success(request, _("Your choices are saved."))
    return redirect("privacy")


@require_POST
@personal
def ask_export(request: HttpRequest, person: User) -> HttpResponse:
    export.request_export(user=person)
    return redirect("privacy")


@require_GET
@sensitive
@personal
def download(request: HttpRequest, person: User, export_id: UUID) -> HttpResponse:
    found = Export.objects.filter(pk=export_id, user=person).first()
    if found is None or not found.is_available or found.archive is None:
        raise Http404
    response = HttpResponse(found.archive, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="my-data-{found.created_at:%Y-%m-%d}.zip"'
    return response


@require_POST
@sensitive
@personal
def erase(request: HttpRequest, person: User) -> HttpResponse:
    form = EraseForm(request.POST)
    if not form.is_valid():
        return _page(request, person, erase_form=form, status=400)
    erasure.request_erasure(user=person)
    return redirect("privacy")


@require_POST
@personal
def keep(request: HttpRequest, person: User) -> HttpResponse:
    if erasure.cancel_erasure(user=person):
        messages.success(request, _("Your data stays."))
    return redirect("privacy")
