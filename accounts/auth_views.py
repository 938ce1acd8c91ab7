"""Signing up, in and out over the API."""

from typing import Any, cast

from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from rest.limits import client_address
from rest.problems import Problem, refused
from rest.schema import failure
from rest.throttles import AuthThrottle, Throttle

from . import credentials, mfa, sign_ins
from .models import SignIn, User
from .permissions import HasAccount
from .serializers import (
    ChallengeAnswerSerializer,
    ChallengeSerializer,
    EmailSerializer,
    KeySerializer,
    LoginSerializer,
    PasswordChangeSerializer,
    RefreshSerializer,
    RegisterSerializer,
    ResetSerializer,
    TokensSerializer,
)

ACCEPTED = OpenApiResponse(description="Whatever is to be done is done; a message may be on its way.")
SIGNED_IN = {200: TokensSerializer, 401: failure(401)}
LOGIN = OpenApiExample("login", {"email": "ada@example.com", "password": "correct horse battery"}, request_only=True)


def _bad_credentials() -> Problem:
    message = _("The e-mail address and the password do not belong together.")
    return Problem(status.HTTP_401_UNAUTHORIZED, "bad_credentials", message)


def _too_many() -> Problem:
    message = _("Too many attempts. Wait a while, or reset your password.")
    return Problem(status.HTTP_429_TOO_MANY_REQUESTS, "too_many_attempts", message, retry_after=300)


def _bad_key() -> Problem:
    message = _("This key is not valid any more. Ask for a new message.")
    return Problem(status.HTTP_422_UNPROCESSABLE_ENTITY, "bad_key", message)


def _not_verified() -> Problem:
    message = _("Confirm your e-mail address first: we have sent you a message.")
    return Problem(status.HTTP_403_FORBIDDEN, "email_not_verified", message)


def _factor_required() -> Problem:
    message = _("Your role needs a second factor. Sign in on the web page once and set one up.")
    return Problem(status.HTTP_403_FORBIDDEN, "second_factor_required", message)


class _Open(APIView):
    """For everybody, under the tight limits of what guesses could open."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes: tuple[type[Throttle], ...] = (AuthThrottle,)
    serializer_class: type[BaseSerializer[Any]]

    def read(self, request: Request) -> dict[str, Any]:
        serializer = self.serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def tokens(self, request: Request, user: User) -> Response:
        agent, address = request.headers.get("User-Agent", ""), client_address(request._request)
        return Response(TokensSerializer(sign_ins.begin(user=user, user_agent=agent, address=address)).data)


class RegisterView(_Open):
    serializer_class = RegisterSerializer

    @extend_schema(responses={202: ACCEPTED}, examples=[LOGIN])
    def post(self, request: Request) -> Response:
        """Make an account. The answer is the same when there is one already: its owner is told by mail."""
        credentials.register(request=request._request, **self.read(request))
        return Response(status=status.HTTP_202_ACCEPTED)


class LoginView(_Open):
    serializer_class = LoginSerializer

    @extend_schema(responses=SIGNED_IN | {202: ChallengeSerializer, 403: failure(403)}, examples=[LOGIN])
    def post(self, request: Request) -> Response:
        """Exchange a password for tokens; for a challenge (202) when the account has a second factor."""
        try:
            user = credentials.authenticate(request=request._request, **self.read(request))
        except credentials.BadCredentials:
            raise _bad_credentials() from None
        except credentials.TooManyAttempts:
            raise _too_many() from None
        except credentials.EmailNotVerified:
            raise _not_verified() from None
        if mfa.lacks_required_factor(user):
            raise _factor_required()
        if challenge := credentials.challenge(user):
            wanted = {"challenge": challenge, "methods": credentials.second_factors(user)}
            return Response(wanted | {"expires_in": credentials.CHALLENGE_SECONDS}, status.HTTP_202_ACCEPTED)
        return self.tokens(request, user)


class ChallengeView(_Open):
    serializer_class = ChallengeAnswerSerializer

    @extend_schema(responses=SIGNED_IN)
    def post(self, request: Request) -> Response:
        """Answer the challenge of a sign-in with a second factor."""
        try:
            user = credentials.answer_challenge(**self.read(request))
        except credentials.BadCredentials:
            message = _("The code is not right, or the challenge has expired.")
            raise Problem(status.HTTP_401_UNAUTHORIZED, "bad_code", message) from None
        except credentials.TooManyAttempts:
            raise _too_many() from None
        return self.tokens(request, user)


class RefreshView(_Open):
    throttle_classes = (Throttle,)
    serializer_class = RefreshSerializer

    @extend_schema(responses=SIGNED_IN)
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for the next pair. Each counts once: a second use ends the whole sign-in."""
        try:
            pair = sign_ins.refresh(token=self.read(request)["refresh"])
        except sign_ins.BadToken:
            message = _("This refresh token does not count any more. Sign in again.")
            raise Problem(status.HTTP_401_UNAUTHORIZED, "token_not_valid", message) from None
        return Response(TokensSerializer(pair).data)


class LogoutView(_Open):
    throttle_classes = (Throttle,)
    serializer_class = RefreshSerializer

    @extend_schema(responses={204: None})
    def post(self, request: Request) -> Response:
        """End the sign-in that a refresh token belongs to: none of its tokens counts any more."""
        sign_ins.end(token=self.read(request)["refresh"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordResetView(_Open):
    serializer_class = EmailSerializer

    @extend_schema(responses={202: ACCEPTED})
    def post(self, request: Request) -> Response:
        """Ask for the message with which a forgotten password is reset."""
        credentials.request_reset(request=request._request, **self.read(request))
        return Response(status=status.HTTP_202_ACCEPTED)


class PasswordResetConfirmView(_Open):
    serializer_class = ResetSerializer

    @extend_schema(responses={204: None})
    def post(self, request: Request) -> Response:
        """Set a new password with the key of the message. Every app has to sign in again."""
        try:
            credentials.reset_password(request=request._request, **self.read(request))
        except credentials.BadKey:
            raise _bad_key() from None
        except DjangoValidationError as error:
            raise refused({"password": error.messages}) from None
        return Response(status=status.HTTP_204_NO_CONTENT)


class VerifyEmailView(_Open):
    serializer_class = KeySerializer

    @extend_schema(responses={204: None})
    def post(self, request: Request) -> Response:
        """Confirm an e-mail address with the key of the message."""
        try:
            credentials.verify_email(request=request._request, **self.read(request))
        except credentials.BadKey:
            raise _bad_key() from None
        return Response(status=status.HTTP_204_NO_CONTENT)


class ResendVerificationView(_Open):
    serializer_class = EmailSerializer

    @extend_schema(responses={202: ACCEPTED})
    def post(self, request: Request) -> Response:
        """Ask for another message that confirms an address."""
        credentials.resend_verification(request=request._request, **self.read(request))
        return Response(status=status.HTTP_202_ACCEPTED)


class PasswordChangeView(APIView):
    permission_classes = (HasAccount,)
    throttle_classes = (AuthThrottle,)
    serializer_class = PasswordChangeSerializer

    @extend_schema(responses={204: None})
    def post(self, request: Request) -> Response:
        """Change the password. Every other app has to sign in again."""
        serializer = self.serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        current, new = serializer.validated_data["current_password"], serializer.validated_data["new_password"]
        user, keep = cast(User, request.user), cast(SignIn | None, request.auth)
        try:
            credentials.change_password(request=request._request, user=user, current=current, new=new, keep=keep)
        except DjangoValidationError as error:
            raise refused(error.message_dict) from None
        return Response(status=status.HTTP_204_NO_CONTENT)
