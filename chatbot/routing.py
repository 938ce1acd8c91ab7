from django.urls import path

from .consumers import ChatConsumer

websocket_urlpatterns = [path("api/v1/chat/ws/<uuid:user_id>", ChatConsumer.as_asgi())]
