import json

import pytest
from django.core.management import call_command
from django.test import Client

from chatbot.demo import DEMO_FILE, DEMO_LOGINS
from faqs.models import FAQ, Phrasing


def test_demo_content_loads_once(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("load_demo")
    count = FAQ.objects.published().count()
    assert count == len(json.loads(DEMO_FILE.read_text(encoding="utf-8"))["faqs"])
    assert Phrasing.objects.count() > count
    call_command("load_demo")
    assert FAQ.objects.count() == count
    assert "nothing was loaded" in capsys.readouterr().out


@pytest.mark.parametrize(("role", "email", "password"), DEMO_LOGINS)
def test_demo_logins_work_and_reach_what_their_role_may(db: None, role: str, email: str, password: str) -> None:
    call_command("load_demo")
    client = Client()
    assert client.login(email=email, password=password)
    assert client.get("/admin/faqs/faq/").status_code == (302 if role == "user" else 200)
    assert client.get("/admin/accounts/user/").status_code == {"user": 302, "admin": 200}.get(role, 403)
