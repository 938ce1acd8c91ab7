"""What a row of a file would do to the knowledge base as it is now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Q
from django.utils.translation import gettext as _

from ..models import FAQ, Category
from .models import ImportedFAQ, ImportRow
from .rows import DEFAULTS, Errors, Values, fingerprint, slug_for, values_of

Action = ImportRow.Action
LIVE = FAQ.Status.PUBLISHED.value


@dataclass
class Plan:
    """`values` are the whole content that the FAQ would have, `current` what it has now."""

    action: str
    faq: FAQ | None = None
    values: Values = field(default_factory=dict)
    current: Values = field(default_factory=dict)
    errors: Errors = field(default_factory=list)

    @property
    def seen(self) -> str:
        return fingerprint(self.current) if self.current else ""


class Shelf:
    """The FAQs that some rows may be about and all categories, read at once; with `lock` nobody else changes them meanwhile."""

    def __init__(self, given: Sequence[Values], *, create_categories: bool, may_publish: bool, lock: bool) -> None:
        self.create_categories, self.may_publish = create_categories, may_publish
        self.new_categories: dict[str, str] = {}
        self.categories = {category.slug: category for category in Category.objects.all()}
        self.by_name = {category.name.lower(): category.slug for category in self.categories.values()}
        self.by_slug: dict[tuple[str, str], FAQ] = {}
        self.by_question: dict[tuple[str, str], FAQ] = {}
        for faq in _faqs_of(given, lock=lock):
            self.by_slug[faq.slug, faq.language] = faq
            self.by_question.setdefault((faq.question, faq.language), faq)
        found = ImportedFAQ.objects.filter(faq__in=list(self.by_slug.values()))
        self.imported = dict(found.values_list("faq_id", "fingerprint"))

    def find(self, given: Values) -> tuple[str, FAQ | None]:
        """The slug that the row's FAQ has or will have, and the FAQ."""
        language = given.get("language", DEFAULTS["language"])
        if "slug" not in given and (faq := self.by_question.get((given["question"], language))):
            return faq.slug, faq
        slug = given.get("slug") or slug_for(given["question"])
        return slug, self.by_slug.get((slug, language))

    def plan(self, given: Values, version: str) -> Plan:
        slug, faq = self.find(given)
        current = values_of(faq) if faq is not None else {}
        values = DEFAULTS | current | given | {"slug": slug}
        if errors := self._category_errors(values, given) + _lacking(values):
            return Plan(Action.ERROR, faq, errors=errors)
        if faq is None:
            return Plan(Action.CREATE, None, values | {"status": self._status(values["status"])})
        if fingerprint(values) == fingerprint(current):
            return Plan(Action.UNCHANGED, faq, values, current)
        if faq.next_version is not None:
            reason = _("A next version of this FAQ is being written: publish or discard it first.")
            return Plan(Action.ERROR, faq, errors=[{"field": "status", "reason": reason}])
        if LIVE in (current["status"], values["status"]) and not self.may_publish:
            if current["status"] == LIVE:
                reason = _("This FAQ is published: somebody who may publish has to import the change.")
                return Plan(Action.ERROR, faq, errors=[{"field": "status", "reason": reason}])
            values["status"] = self._status(values["status"])
        known = {version, self.imported.get(faq.pk)}
        action = Action.UPDATE if fingerprint(current) in known else Action.CONFLICT
        return Plan(action, faq, values, current)

    def _status(self, wanted: str) -> str:
        """Who may not publish submits for review."""
        return FAQ.Status.REVIEW.value if wanted == LIVE and not self.may_publish else wanted

    def _category_errors(self, values: Values, given: Values) -> Errors:
        name = values.get("category", "")
        if not name:
            return [{"field": "category", "reason": _("A new FAQ needs a category.")}]
        slug = name if name in self.categories else self.by_name.get(name.lower())
        if slug is None and not self.create_categories:
            known = ", ".join(sorted(self.categories)) or _("none")
            reason = _("There is no category “%(name)s”. Known: %(known)s.") % {"name": name, "known": known[:300]}
            return [{"field": "category", "reason": reason}]
        if slug is None:
            slug = slug_for(name)[:100]
            self.new_categories[slug] = name
        values["category"] = slug
        return []


def _lacking(values: Values) -> Errors:
    if values.get("answer"):
        return []
    return [{"field": "answer", "reason": _("A FAQ needs an answer.")}]


def _faqs_of(given: Sequence[Values], *, lock: bool) -> Iterable[FAQ]:
    slugs = {values.get("slug") or slug_for(values["question"]) for values in given}
    questions = {values["question"] for values in given if "slug" not in values}
    rows = FAQ.objects.filter(Q(slug__in=slugs) | Q(question__in=questions)).select_related("category")
    if lock:
        rows = rows.select_for_update(of=("self",), no_key=True)
    # Both are read once the rows are held: a join would show next versions as they were before the wait.
    return rows.prefetch_related("phrasings", "draft").order_by("pk")
