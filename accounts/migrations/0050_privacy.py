
import accounts.fields
import django.db.models.deletion
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_api_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('number', models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('actor', models.CharField(max_length=24)),
                ('subject', models.CharField(blank=True, max_length=24)),
                ('action', models.CharField(choices=[('list', 'Listed'), ('view', 'Looked at'), ('add', 'Added'), ('change', 'Changed'), ('delete', 'Deleted'), ('export', 'Exported')], max_length=16)),
                ('kind', models.CharField(help_text='The model, such as accounts.user.', max_length=64)),
                ('details', models.JSONField(default=dict)),
                ('key_id', models.CharField(max_length=32)),
                ('previous', models.CharField(max_length=64)),
                ('hash', models.CharField(max_length=64, unique=True)),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit log',
                'ordering': ['-number'],
                'indexes': [models.Index(fields=['actor', '-number'], name='audit_actor'), models.Index(fields=['subject', '-number'], name='audit_subject')],
            },
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purpose', models.CharField(choices=[('privacy', 'I have read how my data is used'), ('processing', 'My conversations may be used to improve the answers'), ('marketing', 'You may send me news and offers')], max_length=16)),
                ('version', models.CharField(max_length=32)),
                ('granted', models.BooleanField()),
                ('source', models.CharField(choices=[('page', 'Page'), ('api', 'API'), ('staff', 'Staff')], max_length=8)),
                ('address', accounts.fields.EncryptedTextField(blank=True, help_text='The network address that it came from.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consents', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-pk'],
                'indexes': [models.Index(fields=['user', 'purpose', '-id'], name='consent_latest')],
            },
        ),
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('requested_at', models.DateTimeField(auto_now_add=True)),
                ('due_at', models.DateTimeField()),
                ('cancelled_at', models.DateTimeField(null=True)),
                ('completed_at', models.DateTimeField(null=True)),
                ('certificate', models.JSONField(null=True)),
                ('signature', models.CharField(blank=True, max_length=128)),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='erasures', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-requested_at'],
                'indexes': [models.Index(condition=models.Q(('cancelled_at__isnull', True), ('completed_at__isnull', True)), fields=['due_at'], name='erasure_due')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('cancelled_at__isnull', True), ('completed_at__isnull', True)), fields=('user',), name='erasure_one_pending'), models.CheckConstraint(condition=models.Q(models.Q(('certificate__isnull', True), ('completed_at__isnull', True)), models.Q(('certificate__isnull', False), ('completed_at__isnull', False), ('user__isnull', True)), _connector='OR'), name='erasure_completed_has_certificate')],
            },
        ),
        migrations.CreateModel(
            name='Export',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('ready', 'Ready'), ('failed', 'Failed')], default='queued', max_length=16)),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('progress', models.PositiveSmallIntegerField(default=0, help_text='Percent.')),
                ('archive', accounts.fields.EncryptedBinaryField(null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exports', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ['queued', 'running'])), fields=('user',), name='export_one_active'), models.CheckConstraint(condition=models.Q(models.Q(('archive__isnull', False), ('expires_at__isnull', False), ('status', 'ready')), models.Q(models.Q(('status', 'ready'), _negated=True), ('archive__isnull', True)), _connector='OR'), name='export_ready_has_archive'), models.CheckConstraint(condition=models.Q(('progress__lte', 100)), name='export_progress_range')],
            },
        ),
    ]
