"""How work survives an outside service that fails: backoff and circuit breaker."""
