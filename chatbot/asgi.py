"""The web process: pages over HTTP, the chat over WebSocket."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")
http = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  (after Django is set up)
from django.conf import settings  # noqa: E402

from rest.body_limit import BodyLimit  # noqa: E402

from .routing import websocket_urlpatterns  # noqa: E402
from .socket_auth import SocketAuthentication  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(http, limit=settings.REQUEST_MAX_BYTES),
        "websocket": SocketAuthentication(URLRouter(websocket_urlpatterns)),
    }
)
