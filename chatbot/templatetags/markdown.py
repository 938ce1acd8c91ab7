from django import template
from django.utils.safestring import SafeString, mark_safe

from chatbot.markdown import render

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    return mark_safe(render(text))  # noqa: S308  (sanitised by nh3)
