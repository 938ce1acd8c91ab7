"""What Prometheus reads of the assistant beside django-prometheus's own figures."""

from prometheus_client import Counter, Gauge, Histogram

REPLIES = Counter("parley_replies_total", "Replies that ended.", ["status", "error"])
FIRST_TOKEN = Histogram(
    "parley_first_token_seconds",
    "From the claim of a reply to its first text.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
REPLY_SECONDS = Histogram(
    "parley_reply_seconds", "From the claim of a reply to its end.", buckets=(0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 90)
)
FENCED = Counter("parley_replies_fenced_total", "Attempts that ended without the right to write.")
LIVE_FAILURES = Counter("parley_live_failures_total", "Redis operations of live traffic that failed.", ["operation"])
DISPATCH_FAILURES = Counter("parley_dispatch_failures_total", "Tasks that could not be queued at once.", ["task"])
SWEPT = Counter("parley_replies_swept_total", "Replies that the sweeper dispatched again.")
SOCKETS = Gauge("parley_sockets", "Open chat sockets.", multiprocess_mode="livesum")
SOCKETS_CLOSED = Counter("parley_sockets_closed_total", "Chat sockets closed by the server.", ["code"])
