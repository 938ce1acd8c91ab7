"""The pages of the chat and what its script fetches. A visitor's rows only: a stranger's are not found."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.services import create_guest, visitor
from conversations import selectors, services
from conversations.models import Conversation

from . import protocol
from .forms import EarlierForm, ListForm, RenameForm, SearchForm
from .page_strings import strings

PAGE = 50
P = ParamSpec("P")


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _problem(status: int, code: str, message: str, **where: str) -> JsonResponse:
    return JsonResponse({"code": code, "message": message} | where, status=status)


def _invalid(request: HttpRequest, form: forms.Form) -> HttpResponse:
    """400: the first thing that is wrong, as JSON for the script and as a page for people."""
    field, errors = next(iter(form.errors.items()))
    message = str(errors[0])
    if _wants_json(request):
        return _problem(400, "invalid", message, field=field)
    return render(request, "error.html", {"heading": _("That did not work"), "message": message}, status=400)


def owned(
    view: Callable[Concatenate[HttpRequest, Conversation, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, UUID, P], HttpResponse]:
    """Gives a view the visitor's own conversation. Without a visitor: 401 or an empty chat; a stranger's: 404."""

    @wraps(view)
    def wrapper(request: HttpRequest, conversation_id: UUID, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        person = visitor(request)
        if person is None:
            return _no_session() if _wants_json(request) else redirect("new_chat")
        try:
            # Another tab may delete it between these two.
            conversation = selectors.get_conversation(person, conversation_id)
            return view(request, conversation, *args, **kwargs)
        except Conversation.DoesNotExist:
            if _wants_json(request):
                return _problem(404, "not_found", _("There is no such conversation of yours."))
            raise Http404 from None

    return cast(Callable[Concatenate[HttpRequest, UUID, P], HttpResponse], wrapper)


def _no_session() -> JsonResponse:
    return _problem(401, "no_session", _("Your session has ended. Reload the page."))


def _listing(person: User | None, *, archived: bool, before: datetime | None = None) -> dict[str, Any]:
    """The context of a list of conversations, with where it continues."""
    found = (
        selectors.conversations_of(person, archived=archived, limit=PAGE + 1, before=before)
        if person is not None
        else []
    )
    rows = found[:PAGE]
    return {
        "mode": "archived" if archived else "active",
        "conversations": rows,
        "continues": protocol.timestamp(rows[-1].last_message_at) if len(found) > PAGE else None,
    }


def _chat_data(
    person: User | None, conversation: Conversation | None, messages: list[protocol.Frame]
) -> dict[str, Any]:
    """What the page's script starts from."""
    return {
        "user_id": str(person.pk) if person else None,
        "is_guest": person is None or person.is_guest,
        "conversation": protocol.conversation_frame(conversation) if conversation else None,
        "messages": messages[-PAGE:],
        "has_earlier": len(messages) > PAGE,
        "language": (get_language() or "en")[:2],
        "limits": {"message_characters": protocol.MESSAGE_CHARACTERS, "title_characters": services.TITLE_LENGTH},
        "site_name": settings.SITE_NAME,
        "strings": strings(),
    }


def _page(request: HttpRequest, conversation: Conversation | None, *, archived: bool = False) -> HttpResponse:
    person = visitor(request)
    rows = selectors.transcript(conversation, limit=PAGE + 1) if conversation else []
    data = _chat_data(person, conversation, [protocol.message_frame(message) for message in rows])
    starters = settings.CHAT_STARTERS.get(data["language"], settings.CHAT_STARTERS["en"])
    context = {"conversation": conversation, "chat_data": data, "starters": starters}
    return render(request, "chat/chat.html", context | _listing(person, archived=archived))


@never_cache
@ensure_csrf_cookie
@require_GET
def new_chat(request: HttpRequest) -> HttpResponse:
    return _page(request, None)


@never_cache
@ensure_csrf_cookie
@require_GET
@owned
def chat(request: HttpRequest, conversation: Conversation) -> HttpResponse:
    return _page(request, conversation)


@never_cache
@ensure_csrf_cookie
@require_GET
def archived(request: HttpRequest) -> HttpResponse:
    return _page(request, None, archived=True)


@never_cache
@require_GET
def conversation_list(request: HttpRequest) -> HttpResponse:
    """A piece of the sidebar: the list or the archive, from a place on."""
    form = ListForm(request.GET)
    if not form.is_valid():
        return _invalid(request, form)
    return render(request, "chat/_list.html", _listing(visitor(request), **form.cleaned_data))


@require_POST
def guest(request: HttpRequest) -> JsonResponse:
    """Who will write: the visitor there is, or a new guest of this session."""
    return JsonResponse({"user_id": str(create_guest(request).pk)})


@never_cache
@require_GET
@owned
def earlier(request: HttpRequest, conversation: Conversation) -> HttpResponse:
    """The messages before a position, in reading order."""
    form = EarlierForm(request.GET)
    if not form.is_valid():
        return _invalid(request, form)
    rows = selectors.transcript(conversation, before=form.cleaned_data["before"], limit=PAGE + 1)
    frames = [protocol.message_frame(message) for message in rows[-PAGE:]]
    return JsonResponse({"messages": frames, "has_more": len(rows) > PAGE})


@never_cache
@ensure_csrf_cookie
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """The visitor's conversations that hold a text: a piece of the sidebar for the script, else the page."""
    form, person = SearchForm(request.GET), visitor(request)
    if not form.is_valid():
        return _invalid(request, form)
    query = form.cleaned_data["q"]
    hits = selectors.search_conversations(person, query) if person else []
    context = {"mode": "search", "query": query, "hits": hits}
    if "fragment" in request.GET:
        return render(request, "chat/_list.html", context)
    return render(request, "chat/search.html", context)


def _changed(request: HttpRequest, conversation: Conversation, *, deleted: bool = False) -> HttpResponse:
    if _wants_json(request):
        return JsonResponse(protocol.conversation_frame(conversation, deleted=deleted))
    return redirect("new_chat") if deleted else redirect("chat", conversation.pk)


@require_POST
@owned
def rename(request: HttpRequest, conversation: Conversation) -> HttpResponse:
    form = RenameForm(request.POST)
    if not form.is_valid():
        return _invalid(request, form)
    services.edit(conversation=conversation, title=form.cleaned_data["title"])
    return _changed(request, conversation)


@require_POST
@owned
def set_archived(request: HttpRequest, conversation: Conversation, *, value: bool) -> HttpResponse:
    services.edit(conversation=conversation, is_archived=value)
    return _changed(request, conversation)


@require_POST
@owned
def delete(request: HttpRequest, conversation: Conversation) -> HttpResponse:
    services.delete(conversation=conversation)
    return _changed(request, conversation, deleted=True)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was too old, or cookies are off: nothing was changed."""
    message = _("This page was open for too long, or cookies are off. Reload it and try again.")
    if _wants_json(request):
        return _problem(403, "csrf", message)
    return render(request, "error.html", {"heading": _("Please try again"), "message": message}, status=403)
