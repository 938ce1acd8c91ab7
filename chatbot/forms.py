"""What the chat's pages accept: each field with the sentence that says how to mend it."""

from django import forms
from django.utils.translation import gettext_lazy as _

from conversations.services import TITLE_LENGTH

LARGEST_POSITION = 2**53


class RenameForm(forms.Form):
    title = forms.CharField(
        max_length=TITLE_LENGTH,
        error_messages={
            "required": _("A title needs at least one character."),
            "max_length": _("A title has at most %(limit_value)d characters; this one has %(show_value)d."),
        },
    )


class EarlierForm(forms.Form):
    """`before` is the position of the oldest message that the client holds."""

    before = forms.IntegerField(
        min_value=1,
        max_value=LARGEST_POSITION,
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), _("`before` must be the position of a message.")
        ),
    )


class ListForm(forms.Form):
    """`before` continues a listing behind a conversation's `last_message_at`; `archived` lists the archive."""

    archived = forms.BooleanField(required=False)
    before = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z"],
        error_messages={"invalid": _("`before` must be a time in ISO 8601 with its offset.")},
    )


class SearchForm(forms.Form):
    q = forms.CharField(
        required=False,
        max_length=200,
        error_messages={"max_length": _("Search for at most %(limit_value)d characters.")},
    )
