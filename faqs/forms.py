"""What editors fill in."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from .content import Content
from .drafts import free_slug
from .models import FAQ, Phrasing
from .workflow import STEPS

_PHRASING = Phrasing._meta.get_field("text").max_length or 300
_KEYWORD = 100


def _limit(texts: list[str], most: int, refusal: Any) -> None:
    for text in texts:
        if len(text) > most:
            raise ValidationError(refusal % {"start": text[:30], "length": len(text), "limit": most})


class KeywordsField(forms.Field):
    """A JSON list of words, edited as words between commas."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        return [word.strip() for word in (value or "").split(",") if word.strip()]

    def validate(self, value: list[str]) -> None:
        _limit(value, _KEYWORD, _("“%(start)s…” has %(length)d characters; a keyword has at most %(limit)d."))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class PhrasingsField(forms.Field):
    """Other ways to ask the question, one on a line."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or ())

    def to_python(self, value: Any) -> list[str]:
        return list(dict.fromkeys(line.strip() for line in (value or "").splitlines() if line.strip()))

    def validate(self, value: list[str]) -> None:
        _limit(value, _PHRASING, _("“%(start)s…” has %(length)d characters; a phrasing has at most %(limit)d."))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or ()) != self.to_python(data)


class FAQForm(forms.ModelForm):  # type: ignore[type-arg]
    """Edits what `FAQ.working` gives. `base` is the content that the editor started from; `theirs` what was saved since by another."""

    keywords = KeywordsField(required=False, help_text=_("Words between commas."))
    phrasings = PhrasingsField(
        required=False, label=_("Other ways to ask it"), help_text=_("One on a line, in your visitors' words.")
    )
    base = forms.CharField(required=False, widget=forms.HiddenInput)
    theirs: FAQ | None = None

    class Meta:
        model = FAQ
        exclude: ClassVar[list[str]] = ["status"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "question" in self.fields:
            working = self.instance.working
            self.initial = {**self.initial, "phrasings": working.phrasings, "base": working.digest}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "slug" in self.fields and not self.errors:
            # Made here when it is empty, so that what is saved is what is looked for among the others.
            cleaned["slug"] = (
                cleaned["slug"] or self.instance.slug or free_slug(cleaned["question"], cleaned["language"])
            )
        if self.instance.pk and "question" in self.fields and not self.errors:
            self._look_for_conflict(cleaned)
        return cleaned

    def _look_for_conflict(self, cleaned: dict[str, Any]) -> None:
        stored = FAQ.objects.get(pk=self.instance.pk)
        if stored.working.digest == cleaned["base"] or stored.working == self.content():
            return
        self.theirs = stored
        # Whoever saves again has seen it.
        self.data = dict(self.data.items()) | {"base": stored.working.digest}
        raise ValidationError(
            _(
                "Somebody else saved this FAQ while you were writing. Your text is below and is not saved yet; theirs is above it."
            )
        )

    def content(self) -> Content:
        values = self.cleaned_data
        texts = {name: values[name] for name in ("question", "answer", "priority", "meta_title", "meta_description")}
        return Content(
            category_id=values["category"].pk,
            keywords=tuple(values["keywords"]),
            phrasings=tuple(sorted(values["phrasings"])),
            # Browsers send line ends of their own.
            **texts | {"answer": values["answer"].replace("\r\n", "\n")},
        )


class StepForm(forms.Form):
    """A step with its comment and, for what visitors notice, the time at which it happens."""

    step = forms.ChoiceField(choices=[(name, step.label) for name, step in STEPS.items()])
    comment = forms.CharField(required=False, max_length=2000, label=_("Comment"))
    due_at = forms.DateTimeField(required=False, label=_("Time"))

    def clean_due_at(self) -> Any:
        due_at = self.cleaned_data["due_at"]
        if due_at and due_at <= timezone.now():
            raise ValidationError(_("Choose a time to come, or leave the time empty to do it at once."))
        return due_at


class AskForm(forms.Form):
    question = forms.CharField(
        max_length=500,
        label=_("Question"),
        help_text=_("As a visitor would ask it."),
        widget=UnfoldAdminTextInputWidget,
    )
    language = forms.ChoiceField(choices=settings.LANGUAGES, label=_("Language"), widget=UnfoldAdminSelectWidget)
