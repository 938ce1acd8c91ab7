"""What the page of a FAQ asks for while an editor writes: saving by itself, and a warning of duplicates."""

from typing import Any, cast

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import path, reverse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_POST

from accounts.models import User

from . import curation, workflow
from .forms import AskForm, FAQForm
from .models import FAQ
from .selectors import Passage
from .workflow import NotAllowed

SIMILAR = 3


def _problem(status: int, code: str, message: str, **where: str) -> JsonResponse:
    return JsonResponse({"code": code, "message": message} | where, status=status)


def _found(passage: Passage) -> dict[str, Any]:
    return {
        "question": passage.question,
        "url": reverse("admin:faqs_faq_change", args=[passage.faq_id]),
        "percent": round(100 * passage.score),
    }


def person(request: HttpRequest) -> User:
    return cast(User, request.user)


class WritingPages:
    """For `FAQAdmin`, through `CurationPages`."""

    admin_site: Any

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<int:faq_id>/autosave/", view(require_POST(self.autosave)), name="faqs_faq_autosave"),
            path("similar/", view(self.similar), name="faqs_faq_similar"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def locked_because(self, request: HttpRequest, faq: FAQ | None) -> str:
        return workflow.locked_because(faq, person(request), workflow.open_runs(faq)) if faq else ""

    def save_text(self, request: HttpRequest, faq: FAQ, form: FAQForm, *, autosave: bool = False) -> FAQ:
        values = form.cleaned_data
        address = {name: values[name] for name in ("slug", "language") if name in values}
        return curation.save(
            faq_id=faq.pk, content=form.content(), base=values["base"], by=person(request), autosave=autosave, **address
        )

    def autosave(self, request: HttpRequest, faq_id: int) -> JsonResponse:
        """Save what is being written, as the form's button does; 409 when it would overwrite somebody else's."""
        faq = self.get_object(request, str(faq_id))  # type: ignore[attr-defined]
        if faq is None:
            raise Http404
        if not self.has_change_permission(request, faq):  # type: ignore[attr-defined]
            raise PermissionDenied
        if reason := self.locked_because(request, faq):
            return _problem(409, "locked", reason)
        form = self.get_form(request, faq, change=True)(request.POST, instance=faq)  # type: ignore[attr-defined]
        if not form.is_valid():
            field, errors = next(iter(form.errors.items()))
            return (
                _problem(409, "conflict", errors[0])
                if form.theirs
                else _problem(400, "invalid", errors[0], field=field)
            )
        try:
            saved = self.save_text(request, faq, form, autosave=True)
        except (NotAllowed, curation.Conflict) as reason:
            return _problem(409, "conflict", str(reason))
        return JsonResponse({"base": saved.working.digest})

    def similar(self, request: HttpRequest) -> JsonResponse:
        """The published FAQs nearest to a question that is being written."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        form = AskForm(request.GET)
        if not form.is_valid():
            return _problem(400, "invalid", str(next(iter(form.errors.values()))[0]))
        _decision, passages = import_string(settings.RETRIEVAL_PREVIEW)(**form.cleaned_data)
        own = request.GET.get("faq", "")
        return JsonResponse({"similar": [_found(one) for one in passages if str(one.faq_id) != own][:SIMILAR]})
