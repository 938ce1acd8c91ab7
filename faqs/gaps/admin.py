"""Gaps for editors: what people ask in vain, and one click to answer it, to recognise it, or to leave it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from ..curation import Conflict
from ..models import FAQ, Category
from ..workflow import NotAllowed
from . import selectors, services
from .models import Gap


class StatusFilter(admin.SimpleListFilter):
    """Open ones, unless asked for others."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(None, _("Open")), *[choice for choice in Gap.Status.choices if choice[0] != Gap.Status.OPEN]]

    def choices(self, changelist: Any) -> Any:
        for lookup, title in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: lookup}, [])
            yield {"selected": self.value() == lookup, "query_string": query, "display": title}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Gap]) -> QuerySet[Gap]:
        return queryset.filter(status=self.value() or Gap.Status.OPEN)


class GapForm(forms.Form):
    action = forms.ChoiceField(choices=[(name, name) for name in ("draft", "merge", "dismiss", "reopen")])
    question = forms.CharField(max_length=300, required=False, widget=UnfoldAdminTextInputWidget)
    category = forms.ModelChoiceField(Category.objects.all(), required=False, widget=UnfoldAdminSelectWidget)
    faq = forms.ModelChoiceField(FAQ.objects.all(), required=False)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        needed = {"draft": ("question", "category"), "merge": ("question", "faq")}.get(data.get("action", ""), ())
        for name in needed:
            if not data.get(name):
                self.add_error(name, _("Choose one.") if name != "question" else _("Write the question."))
        return data


@admin.register(Gap)
class GapAdmin(ModelAdmin):
    list_display = ("label", "people", "asked", "latest", "language")
    list_filter = (StatusFilter, "language")
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Gap]:
        return selectors.ranked().select_related("model", "faq")

    @admin.display(description=_("question"))
    def label(self, gap: Any) -> str:
        return str(gap.label or _("(its conversations were deleted)"))

    @admin.display(description=_("people in 30 days"), ordering="people")
    def people(self, gap: Any) -> int:
        return int(gap.people)

    @admin.display(description=_("times asked"), ordering="asked")
    def asked(self, gap: Any) -> int:
        return int(gap.asked)

    @admin.display(description=_("last asked"), ordering="latest")
    def latest(self, gap: Any) -> Any:
        return gap.latest

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        gap = self.get_object(request, object_id)
        if gap is None:
            raise Http404
        if request.method != "POST":
            return self._page(request, gap, None)
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = GapForm(request.POST)
        if not form.is_valid():
            return self._page(request, gap, form)
        return self._act(request, gap, **form.cleaned_data)

    def _act(
        self, request: HttpRequest, gap: Gap, *, action: str, question: str, category: Any, faq: Any
    ) -> HttpResponse:
        user: Any = request.user
        if action == "draft":
            if draft := services.draft(gap=gap, user=user, question=question, category=category):
                return redirect("admin:faqs_faq_change", draft.pk)
            done = False
        elif action == "merge":
            try:
                done = services.merge(gap=gap, user=user, faq=faq, phrasing=question)
            except (NotAllowed, Conflict) as error:
                self.message_user(request, str(error), messages.ERROR)
                return redirect("admin:faqs_gap_change", gap.pk)
        elif action == "dismiss":
            done = services.dismiss(gap=gap, user=user)
        else:
            services.reopen(gap=gap)
            done = True
        if not done:
            self.message_user(request, _("Somebody else closed this gap meanwhile."), messages.WARNING)
        return redirect("admin:faqs_gap_changelist")

    def _page(self, request: HttpRequest, gap: Any, form: GapForm | None) -> TemplateResponse:
        nearest = selectors.nearest_faqs(gap)
        form = form or GapForm(
            initial={"question": (gap.label or "")[:300], "category": selectors.likely_category(nearest)}
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": Gap._meta,
            "title": self.label(gap),
            "gap": gap,
            "form": form,
            "nearest": nearest,
            "questions": selectors.questions(gap),
            "may_change": self.has_change_permission(request),
        }
        return TemplateResponse(request, "admin/faqs/gap.html", context)
