"""Accounts over the API, by allauth's own functions. No answer here tells whether an address has an account."""

from typing import cast

from allauth.account import signals
from allauth.account.adapter import get_adapter
from allauth.account.app_settings import EMAIL_VERIFICATION, EmailVerificationMethod
from allauth.account.forms import ResetPasswordForm, UserTokenForm
from allauth.account.internal.flows import email_verification, password_change, password_reset
from allauth.account.models import EmailAddress, get_emailconfirmation_model
from allauth.account.utils import filter_users_by_email, setup_user_email
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.hashers import make_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from . import sign_ins
from .models import SignIn, User

CHALLENGE_SECONDS = 300
_CHALLENGE = "accounts.second-factor"
_TOO_MANY = ("too_many_login_attempts", "rate_limited")


class BadCredentials(Exception):
    """The e-mail address and the password do not belong together, or the second factor is wrong."""


class TooManyAttempts(Exception):
    """Enough guesses for now."""


class EmailNotVerified(Exception):
    """The password is right, and the address was never confirmed; a new message is on its way."""


class BadKey(Exception):
    """The key of a message is not valid, or not any more."""


def check_password(password: str, user: User | None = None) -> None:
    """Raises ValidationError with what is wrong with a new password."""
    get_adapter().clean_password(password, user=user)


def register(*, request: HttpRequest, email: str, password: str) -> None:
    """Make an account and send the message that confirms its address; somebody who has one is told so by mail."""
    if filter_users_by_email(email):
        # As slow as for a new account.
        make_password(password)
        get_adapter().send_account_already_exists_mail(email)
        return
    with transaction.atomic():
        user = User.objects.create_user(email, password)
        setup_user_email(request, user, [])
    signals.user_signed_up.send(sender=User, request=request, user=user)
    email_verification.send_verification_email_for_user(request, user)


def authenticate(*, request: HttpRequest, email: str, password: str) -> User:
    """The person behind a password. Raises BadCredentials, TooManyAttempts, EmailNotVerified."""
    try:
        user = get_adapter().authenticate(request, email=email, password=password)
    except ValidationError as error:
        raise _refusal(error) from None
    if not isinstance(user, User) or not user.is_active:
        raise BadCredentials
    if EMAIL_VERIFICATION == EmailVerificationMethod.MANDATORY and not _is_verified(user):
        email_verification.send_verification_email_for_user(request, user)
        raise EmailNotVerified
    return user


def _refusal(error: ValidationError) -> Exception:
    return TooManyAttempts() if error.error_list[0].code in _TOO_MANY else BadCredentials()


def _is_verified(user: User) -> bool:
    return bool(EmailAddress.objects.filter(user=user, verified=True).exists())


def challenge(user: User) -> str | None:
    """What a person with a second factor gets instead of tokens; None without one."""
    return signing.dumps(str(user.pk), salt=_CHALLENGE) if is_mfa_enabled(user) else None


def second_factors(user: User) -> list[str]:
    rows = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.WEBAUTHN)
    return list(rows.order_by("type").values_list("type", flat=True))


def answer_challenge(*, challenge: str, code: str) -> User:
    """The person who passed both factors. Raises BadCredentials, TooManyAttempts."""
    try:
        user_id = signing.loads(challenge, salt=_CHALLENGE, max_age=CHALLENGE_SECONDS)
    except signing.BadSignature:
        raise BadCredentials from None
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise BadCredentials
    form = AuthenticateForm({"code": code}, user=user)
    if not form.is_valid():
        raise _refusal(form.errors.as_data()["code"][0])
    form.authenticator.record_usage()
    return user


def request_reset(*, request: HttpRequest, email: str) -> None:
    form = ResetPasswordForm({"email": email})
    if form.is_valid():
        form.save(request)


def user_of_reset_key(key: str) -> User:
    """Raises BadKey."""
    uid, _dash, token = key.partition("-")
    form = UserTokenForm({"uidb36": uid, "key": token})
    if not form.is_valid():
        raise BadKey
    return cast(User, form.reset_user)


def reset_password(*, request: HttpRequest, key: str, password: str) -> None:
    """Set a new password with the key of a message; every app has to sign in again. Raises BadKey, ValidationError."""
    user = user_of_reset_key(key)
    check_password(password, user)
    password_reset.reset_password(user, password)
    sign_ins.revoke_all(user=user)
    password_reset.finalize_password_reset(request, user)


def verify_email(*, request: HttpRequest, key: str) -> None:
    """Raises BadKey."""
    confirmation = get_emailconfirmation_model().from_key(key)
    if confirmation is None or not confirmation.confirm(request):
        raise BadKey


def resend_verification(*, request: HttpRequest, email: str) -> None:
    address = EmailAddress.objects.filter(email__iexact=email, verified=False).select_related("user").first()
    if address is not None:
        email_verification.send_verification_email_to_address(request, address)


def change_password(*, request: HttpRequest, user: User, current: str, new: str, keep: SignIn | None) -> None:
    """Every other app has to sign in again. Raises ValidationError."""
    if not user.check_password(current):
        raise ValidationError({"current_password": _("This is not your password.")})
    try:
        check_password(new, user)
    except ValidationError as error:
        raise ValidationError({"new_password": error.messages}) from None
    password_change.change_password(user, new)
    sign_ins.revoke_all(user=user, but=keep)
    if request.session.session_key:
        update_session_auth_hash(request, user)
    get_adapter().send_notification_mail("account/email/password_changed", user)
    signals.password_changed.send(sender=User, request=request, user=user)
