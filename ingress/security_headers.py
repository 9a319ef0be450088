"""Security headers on every answer (OWASP's list for APIs): nothing here is for a browser to show, frame or keep."""

from config.settings import Environment

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "tollgate",  # stands in the place of the web server's own name and version
}
_TWO_YEARS = 2 * 365 * 24 * 3600  # seconds, as the browsers' preload lists ask for


def security_headers(environment: Environment) -> dict[str, str]:
    """Return the headers; HSTS only in live, where there is TLS in front."""
    if environment == "live":
        return _ALWAYS | {"Strict-Transport-Security": f"max-age={_TWO_YEARS}; includeSubDomains"}
    return dict(_ALWAYS)
