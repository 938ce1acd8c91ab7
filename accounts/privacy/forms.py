"""What the privacy page accepts."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from .consent import Standing
from .models import Consent


class ConsentForm(forms.Form):
    """One box a purpose."""

    def __init__(self, *args: Any, standings: list[Standing], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for one in standings:
            self.fields[one.purpose] = forms.BooleanField(
                label=Consent.Purpose(one.purpose).label, required=False, initial=one.granted
            )


class EraseForm(forms.Form):
    """A word to type, so that nobody is forgotten by a slip."""

    WORD = "erase"

    confirm = forms.CharField(label=_("Type “erase” to confirm"), max_length=20)

    def clean_confirm(self) -> str:
        word: str = self.cleaned_data["confirm"].strip().lower()
        if word != self.WORD:
            raise forms.ValidationError(_("Type the word “erase” to confirm. Nothing was changed."))
        return word
