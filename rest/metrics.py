from prometheus_client import Counter

LIMITED = Counter("parley_rate_limited_total", "What the limiter refused.", ["scope"])
LIMITER_FAILURES = Counter("parley_limiter_failures_total", "Limits that Redis could not answer for.", ["scope"])
