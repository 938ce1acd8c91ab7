"""The pages of the chat and what its script fetches. A visitor's rows only: a stranger's are not found."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.services import create_guest, visitor
from conversations import selectors, services
from conversations.models import Conversation

from . import protocol

PAGE = 50


def _conversation(request: HttpRequest, conversation_id: UUID) -> tuple[User, Conversation]:
    person = visitor(request)
    if person is None:
        raise Http404
    try:
        return person, selectors.get_conversation(person, conversation_id)
    except Conversation.DoesNotExist:
        raise Http404 from None


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _invalid(field: str, message: str) -> JsonResponse:
    return JsonResponse({"code": "invalid", "field": field, "message": message}, status=400)


def _page(request: HttpRequest, conversation: Conversation | None, *, archived: bool = False) -> HttpResponse:
    person = visitor(request)
    messages = selectors.transcript(conversation, limit=PAGE) if conversation else []
    language = (get_language() or "en")[:2]
    data = {
        "user_id": str(person.pk) if person else None,
        "conversation_id": str(conversation.pk) if conversation else None,
        "messages": [protocol.message_frame(message) for message in messages],
        "has_earlier": len(messages) == PAGE,
        "language": language,
    }
    context = {
        "conversation": conversation,
        "conversations": selectors.conversations_of(person, archived=archived) if person else [],
        "archived": archived,
        "starters": settings.CHAT_STARTERS.get(language, settings.CHAT_STARTERS["en"]),
        "chat_data": data,
        "message_characters": protocol.MESSAGE_CHARACTERS,
    }
    return render(request, "chat/chat.html", context)


@ensure_csrf_cookie
@require_GET
def new_chat(request: HttpRequest) -> HttpResponse:
    return _page(request, None)


@ensure_csrf_cookie
@require_GET
def chat(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    _person, conversation = _conversation(request, conversation_id)
    return _page(request, conversation)


@ensure_csrf_cookie
@require_GET
def archived(request: HttpRequest) -> HttpResponse:
    return _page(request, None, archived=True)


@require_POST
def guest(request: HttpRequest) -> JsonResponse:
    """Who will write: the visitor there is, or a new guest of this session."""
    return JsonResponse({"user_id": str(create_guest(request).pk)})


@require_GET
def earlier(request: HttpRequest, conversation_id: UUID) -> JsonResponse:
    """The messages before a position, in reading order."""
    before = request.GET.get("before", "")
    if not before.isdecimal() or len(before) > 15:
        return _invalid("before", "`before` must be the position of a message.")
    _person, conversation = _conversation(request, conversation_id)
    messages = selectors.transcript(conversation, before=int(before), limit=PAGE)
    return JsonResponse(
        {"messages": [protocol.message_frame(message) for message in messages], "has_more": len(messages) == PAGE}
    )


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    person, query = visitor(request), request.GET.get("q", "").replace("\x00", "")[:200]
    hits = selectors.search_conversations(person, query) if person else []
    found = [
        {"conversation_id": str(hit.conversation.pk), "title": hit.conversation.title, "snippet": hit.snippet}
        for hit in hits
    ]
    if _wants_json(request):
        return JsonResponse({"results": found})
    return render(request, "chat/search.html", {"query": query, "hits": hits})


def _changed(request: HttpRequest, conversation: Conversation, *, deleted: bool = False) -> HttpResponse:
    if _wants_json(request):
        return JsonResponse(protocol.conversation_frame(conversation, deleted=deleted))
    return redirect("new_chat") if deleted else redirect("chat", conversation.pk)


@require_POST
def rename(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    _person, conversation = _conversation(request, conversation_id)
    title = request.POST.get("title", "").replace("\x00", "").strip()
    if not title or len(title) > services.TITLE_LENGTH:
        return _invalid("title", f"A title has 1 to {services.TITLE_LENGTH} characters.")
    services.rename(conversation=conversation, title=title)
    return _changed(request, conversation)


@require_POST
def set_archived(request: HttpRequest, conversation_id: UUID, *, value: bool) -> HttpResponse:
    _person, conversation = _conversation(request, conversation_id)
    services.set_archived(conversation=conversation, archived=value)
    return _changed(request, conversation)


@require_POST
def delete(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    _person, conversation = _conversation(request, conversation_id)
    services.delete(conversation=conversation)
    return _changed(request, conversation, deleted=True)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was too old, or cookies are off: nothing was changed."""
    message = "This page was open for too long, or cookies are off. Reload it and try again."
    if _wants_json(request):
        return JsonResponse({"code": "csrf", "message": message}, status=403)
    context: dict[str, Any] = {"heading": "Please try again", "message": message}
    return render(request, "error.html", context, status=403)
