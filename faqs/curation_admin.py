"""The pages on which editors write a FAQ, take it from step to step, compare its versions and bring one back."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from . import curation, history, selectors, workflow
from .comparison import compare
from .content import Content
from .forms import FAQForm, StepForm
from .models import FAQ, PublishRun
from .workflow import NotAllowed
from .writing_admin import WritingPages, person

_CONTENT = ("question", "answer", "phrasings", "category", "priority", "keywords", "meta_title", "meta_description")


class CurationPages(WritingPages):
    """For `FAQAdmin`: nothing but `curation` writes a FAQ."""

    change_form_template = "admin/faqs/form.html"
    form = FAQForm

    # -- what is shown -------------------------------------------------------------------------------------------
    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> FAQ | None:
        """The FAQ with what editors work on in its fields."""
        faq: FAQ | None = super().get_object(request, object_id, from_field)  # type: ignore[misc]
        if faq is not None and faq.next_version is not None:
            faq.next_version.content.put_on(faq)
        return faq

    def get_readonly_fields(self, request: HttpRequest, obj: FAQ | None = None) -> tuple[str, ...]:
        fields: tuple[str, ...] = super().get_readonly_fields(request, obj)  # type: ignore[misc]
        if obj is not None and self.locked_because(request, obj):
            return (
                *fields,
                *(name for name in _CONTENT if name != "phrasings"),
                "slug",
                "language",
                "other_ways",
                "shown_keywords",
            )
        return (*fields, "slug", "language") if obj is not None and obj.is_live else fields

    def get_fieldsets(self, request: HttpRequest, obj: FAQ | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if not self.locked_because(request, obj):
            return fieldsets
        swap = {"phrasings": "other_ways", "keywords": "shown_keywords", "base": ""}
        return [
            (title, options | {"fields": tuple(filter(None, (swap.get(name, name) for name in options["fields"])))})
            for title, options in fieldsets
        ]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        faq: FAQ | None = context["original"]
        hidden = dict.fromkeys(("show_save_and_continue", "show_save_and_add_another", "show_save_as_new"), False)
        if faq is not None:
            context |= self._panel(request, faq)
        if theirs := getattr(context["adminform"].form, "theirs", None):
            context["conflict"] = compare(theirs.working, context["adminform"].form.content())
        return super().render_change_form(request, context | hidden, *args, **kwargs)  # type: ignore[misc]

    def _panel(self, request: HttpRequest, faq: FAQ) -> dict[str, Any]:
        """How the FAQ stands, and what may be done with it now."""
        runs = workflow.open_runs(faq)
        latest = PublishRun.objects.filter(faq=faq).exclude(status__in=PublishRun.OPEN).first()
        locked = workflow.locked_because(faq, person(request), runs)
        steps = workflow.offered(faq, person(request), runs)
        return {
            "faq": faq,
            "runs": runs,
            "latest_run": latest,
            "steps": steps,
            "takes_time": any(step in (workflow.PUBLISH, workflow.UNPUBLISH) for step in steps),
            "locked_because": locked,
            "show_save": not locked,
            "stage_label": FAQ.Status(faq.stage).label,
            "comment": request.POST.get("comment", ""),
            "links": [link for link in faq.link_checks.all() if link.status != link.Status.OK],
            "versions": selectors.language_versions(faq),
            "may_change": workflow.may(person(request), "change_faq"),
        }

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Of a new language version: the original, to be translated."""
        number = request.GET.get("original", "")
        original = FAQ.objects.filter(pk=number).first() if number.isdecimal() else None
        if original is None:
            return super().get_changeform_initial_data(request)  # type: ignore[misc,no-any-return]
        values = Content.of(original).to_json() | {"slug": original.slug, "language": request.GET.get("language", "")}
        return values | {"category": values["category_id"], "phrasings": []}

    def has_delete_permission(self, request: HttpRequest, obj: FAQ | None = None) -> bool:
        """What visitors read is unpublished first, through the gate."""
        return super().has_delete_permission(request, obj) and (obj is None or not obj.is_live)  # type: ignore[misc,no-any-return]

    # -- what is saved -------------------------------------------------------------------------------------------
    def save_model(self, request: HttpRequest, obj: FAQ, form: FAQForm, change: bool) -> None:
        if "question" not in form.fields:
            return
        if not change:
            curation.create(faq=obj, content=form.content(), by=person(request))
            return
        try:
            self.save_text(request, obj, form)
        except (NotAllowed, curation.Conflict) as reason:
            request.not_saved = str(reason)  # type: ignore[attr-defined]

    def save_related(self, request: HttpRequest, form: FAQForm, formsets: Any, change: bool) -> None:
        """Phrasings are saved with their FAQ."""

    def response_add(self, request: HttpRequest, obj: FAQ, post_url_continue: str | None = None) -> HttpResponse:
        return self.response_change(request, obj)

    def response_change(self, request: HttpRequest, obj: FAQ) -> HttpResponse:
        page = redirect("admin:faqs_faq_change", obj.pk)
        if reason := getattr(request, "not_saved", ""):
            self._tell(request, reason, messages.ERROR)
            return page
        if "_step" in request.POST:
            return self._take_step(request, obj)
        self._tell(request, _("Saved. Visitors see it once it is published."), messages.SUCCESS)
        return page

    def _take_step(self, request: HttpRequest, faq: FAQ) -> HttpResponse:
        form = StepForm(self._step_data(request))
        page = redirect("admin:faqs_faq_change", faq.pk)
        if not form.is_valid():
            self._tell(request, str(next(iter(form.errors.values()))[0]), messages.ERROR)
            return page
        try:
            run = curation.take_step(faq_id=faq.pk, by=person(request), **form.cleaned_data)
        except NotAllowed as reason:
            self._tell(request, str(reason), messages.ERROR)
            return page
        if run is not None:
            return redirect("admin:faqs_publishrun_change", run.pk)
        label = workflow.STEPS[form.cleaned_data["step"]].label
        self._tell(request, _("Done: %(step)s.") % {"step": label}, messages.SUCCESS)
        return page

    def _step_data(self, request: HttpRequest) -> dict[str, str]:
        return {"step": request.POST["_step"]} | {name: request.POST.get(name, "") for name in ("comment", "due_at")}

    def _tell(self, request: HttpRequest, text: str, level: int) -> None:
        messages.add_message(request, level, text)

    # -- pages beside the form -----------------------------------------------------------------------------------
    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<int:faq_id>/in-step/", view(require_POST(self.in_step)), name="faqs_faq_in_step"),
            path("<int:faq_id>/compare/", view(self.compare), name="faqs_faq_compare"),
            path("<int:faq_id>/roll-back/", view(require_POST(self.roll_back)), name="faqs_faq_roll_back"),
            *super().get_urls(),
        ]

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        return TemplateResponse(
            request, template, {**self.admin_site.each_context(request), "title": title, "opts": FAQ._meta, **context}
        )

    def viewable(self, request: HttpRequest, faq_id: int) -> FAQ:
        """The FAQ as it is stored. Raises PermissionDenied and Http404."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        faq = FAQ.objects.select_related("draft__updated_by").filter(pk=faq_id).first()
        if faq is None:
            raise Http404
        return faq

    def in_step(self, request: HttpRequest, faq_id: int) -> HttpResponse:
        faq = self.viewable(request, faq_id)
        if not self.has_change_permission(request, faq):  # type: ignore[attr-defined]
            raise PermissionDenied
        curation.note_in_step(faq_id=faq.pk)
        self._tell(request, _("Noted: this version says what its original says."), messages.SUCCESS)
        return redirect("admin:faqs_faq_change", faq.pk)

    def compare(self, request: HttpRequest, faq_id: int) -> HttpResponse:
        """A version (without a number: what visitors read) beside what editors work on."""
        faq = self.viewable(request, faq_id)
        all_versions = history.versions(faq)
        number = request.GET.get("version", "")
        version = next((one for one in all_versions if str(one.history_id) == number), None)
        live = next(iter(all_versions), None)
        # An earlier version is read against the published one, the published one against the next.
        old, new = (version.content, live.content) if version and live else (Content.of(faq), faq.working)
        return self.page(
            request,
            "admin/faqs/compare.html",
            _("Compare versions"),
            faq=faq,
            rows=compare(old, new),
            version=version,
            may_roll_back=version is not None and faq.is_live and version != live and self._may_review(request),
        )

    def _may_review(self, request: HttpRequest) -> bool:
        return workflow.may(person(request), "publish_faq")

    def roll_back(self, request: HttpRequest, faq_id: int) -> HttpResponse:
        faq = self.viewable(request, faq_id)
        version = request.POST.get("version", "")
        history_id = int(version) if version.isdecimal() else 0
        try:
            run = curation.roll_back(faq_id=faq.pk, history_id=history_id, by=person(request))
        except NotAllowed as reason:
            self._tell(request, str(reason), messages.ERROR)
            return redirect("admin:faqs_faq_history", faq.pk)
        return redirect("admin:faqs_publishrun_change", run.pk)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        faq = self.viewable(request, int(object_id) if object_id.isdecimal() else 0)
        return self.page(
            request,
            "admin/faqs/history.html",
            _("History"),
            faq=faq,
            versions=history.versions(faq),
            events=faq.status_events.select_related("by"),
            may_review=self._may_review(request) and faq.is_live,
        )

    # -- the list ------------------------------------------------------------------------------------------------
    def step_all(self, request: HttpRequest, queryset: QuerySet[FAQ], step: str) -> None:
        """The same step for each of the selected; those that cannot take it are named."""
        taken, refused = 0, []
        for faq in queryset:
            try:
                curation.take_step(faq_id=faq.pk, step=step, by=person(request))
                taken += 1
            except NotAllowed:
                refused.append(faq.question)
        label = workflow.STEPS[step].label
        text = ngettext("%(step)s: %(taken)d FAQ.", "%(step)s: %(taken)d FAQs.", taken)
        self._tell(request, text % {"step": label, "taken": taken}, messages.SUCCESS if taken else messages.WARNING)
        if refused:
            text = _("Not possible now, or not for you: %(questions)s")
            self._tell(request, text % {"questions": "; ".join(refused)}, messages.WARNING)
