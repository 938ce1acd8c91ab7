"""The first numbers: exact, from the rows themselves. Nothing here tells what somebody wrote."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Aggregate, Count, FloatField, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from accounts.models import User
from conversations.models import Conversation, Feedback, Message

ENDED = (Message.Status.SENT, Message.Status.STOPPED, Message.Status.FAILED)


class Percentile(Aggregate):
    """The value below which a share of the others lies; null without values."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True)
class Period:
    """From `since` until just before `until`."""

    since: datetime
    until: datetime

    def of(self, field: str) -> Q:
        return Q(**{f"{field}__gte": self.since, f"{field}__lt": self.until})


def _replies(period: Period) -> QuerySet[Message]:
    return Message.objects.filter(period.of("created_at"), role=Message.Role.ASSISTANT, status__in=ENDED)


def _decision(name: str) -> Count:
    return Count("pk", filter=Q(metadata__decision=name))


def dashboard(period: Period) -> dict[str, Any]:
    """What happened in a period, as a whole and by day (UTC)."""
    asked = Message.objects.filter(period.of("created_at"), role=Message.Role.USER)
    conversations = Conversation.objects.filter(period.of("created_at"))
    return {
        "since": period.since,
        "until": period.until,
        "conversations": conversations.count(),
        "visitors": asked.aggregate(n=Count("conversation__user", distinct=True))["n"],
        "questions": asked.count(),
        "replies": _reply_figures(period),
        "feedback": _feedback(Feedback.objects.filter(period.of("created_at"))),
        "days": _days(asked),
    }


def _reply_figures(period: Period) -> dict[str, Any]:
    figures: dict[str, Any] = _replies(period).aggregate(
        sent=Count("pk", filter=Q(status=Message.Status.SENT)),
        stopped=Count("pk", filter=Q(status=Message.Status.STOPPED)),
        failed=Count("pk", filter=Q(status=Message.Status.FAILED)),
        answered=_decision("answer"),
        asked_back=_decision("clarify"),
        declined=_decision("decline"),
        human_wanted=_decision("human"),
        tokens=Sum("tokens_used", default=0),
        median_ms=Percentile("response_time_ms", share=0.5),
        p90_ms=Percentile("response_time_ms", share=0.9),
    )
    return figures


def _feedback(rows: QuerySet[Feedback]) -> dict[str, int]:
    return rows.aggregate(
        up=Count("pk", filter=Q(value=Feedback.Value.UP)), down=Count("pk", filter=Q(value=Feedback.Value.DOWN))
    )


def _days(asked: QuerySet[Message]) -> list[Any]:
    by_day = asked.annotate(day=TruncDate("created_at")).values("day").order_by("day")
    return list(by_day.annotate(questions=Count("pk"), conversations=Count("conversation", distinct=True)))


def of_user(user_id: UUID) -> dict[str, Any]:
    """One person's use. Raises User.DoesNotExist."""
    user = User.objects.get(pk=user_id)
    asked = Message.objects.filter(conversation__user=user, role=Message.Role.USER)
    figures: dict[str, Any] = asked.aggregate(
        questions=Count("pk"), first_at=Min("created_at"), last_at=Max("created_at")
    )
    tokens = Conversation.objects.filter(user=user).aggregate(
        conversations=Count("pk"), tokens=Sum("total_tokens", default=0)
    )
    return {"user_id": user.pk, **figures, **tokens, "feedback": _feedback(Feedback.objects.filter(user=user))}


def conversations() -> QuerySet[Conversation]:
    """Each conversation with its figures."""
    up = Count("messages__feedback", filter=Q(messages__feedback__value=Feedback.Value.UP))
    down = Count("messages__feedback", filter=Q(messages__feedback__value=Feedback.Value.DOWN))
    return Conversation.objects.annotate(up=up, down=down)
