"""The chat page's words that its script shows, by the key under which the script finds them."""

from django.utils.translation import gettext_lazy as _

STRINGS = {
    "you": _("You"),
    "assistant": _("Assistant"),
    "agent": _("Support team"),
    "system": _("Notice"),
    "answer_from": _("Answer from the assistant:"),
    "team_joined": _("A person from our team takes over from here."),
    "untitled": _("New chat"),
    "title": _("Title"),
    "sending": _("Sending…"),
    "not_sent": _("Not sent."),
    "stopped": _("Stopped"),
    "agent_typing": _("Our team is typing…"),
    "reconnecting": _("Reconnecting…"),
    "reload": _("Reload the page"),
    "signed_out": _("Your session has ended."),
    "other_user": _("You are signed in as somebody else by now."),
    "copy_code": _("Copy code"),
    "copied": _("Copied"),
    "copy_failed": _("Copying is not allowed here."),
    "thanks": _("Thank you. This helps us to get better."),
    "opens_new_tab": _("opens in a new tab"),
    "too_long": _("A message has at most {limit} characters; yours has {count}."),
    "deleted": _("The conversation was deleted."),
    "archived": _("The conversation was archived."),
    "unarchived": _("The conversation is back in your list."),
    "gone": _("This conversation was deleted elsewhere."),
    "options_of": _("Options for {title}"),
    "failed_request": _("This did not work. Please try again."),
    "offline_action": _("You are not connected just now. Please try again in a moment."),
    "rate_limited": _("That was a lot at once. It is sent again in a moment."),
    "unavailable": _("We could not store this just now; it is sent again in a moment."),
    "not_found": _("This conversation is not there any more."),
    "cannot_regenerate": _("Only the last answer can be written again."),
    "found": _("Conversations found: {count}"),
}


def strings() -> dict[str, str]:
    """All of them in the language of the request."""
    return {key: str(text) for key, text in STRINGS.items()}
