from typing import Any

from django.db import migrations, models
from django.db.models import Q


def repair(apps: Any, schema_editor: Any) -> None:
    """Where the two differed, whoever was locked out by one of them stays so; but a locked-out guest had only to drop a cookie."""
    people = apps.get_model("accounts", "User").objects
    people.filter(status="active", is_active=False).update(status="suspended")
    people.filter(status__in=["suspended", "closed"]).update(is_active=False)
    people.filter(status="guest").update(is_active=True)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0051_audit_append_only")]
    operations = [
        migrations.RunPython(repair, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                name="user_is_active_by_status",
                condition=Q(status__in=["guest", "active"], is_active=True)
                | (~Q(status__in=["guest", "active"]) & Q(is_active=False)),
            ),
        ),
    ]
