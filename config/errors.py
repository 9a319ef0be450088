"""The one tree of errors.

A class's docstring is its default message, so that an error raised without words still says what happened. Each
package keeps its own branch here, where every package can see the whole tree.
"""

import inspect


class TollgateError(Exception):
    """Tollgate could not do what it was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or "").partition("\n")[0])


class SettingsError(TollgateError):
    """A setting is missing or wrong."""


class KeyringError(TollgateError):
    """A key is missing, malformed or unknown to the key ring."""


class SealBrokenError(TollgateError):
    """Sealed data cannot be opened: wrong key, wrong place or changed bytes."""


class ContractError(TollgateError):
    """A job's payload does not fit its contract."""


class JournalRejectedError(TollgateError):
    """A journal entry is forged, broken or of an unknown kind."""


class JournalNotReadableYetError(TollgateError):
    """A journal entry needs a key, a version or a client that this process does not know yet."""


class FenceLostError(TollgateError):
    """This attempt's lease was taken over: another attempt owns the job now, nothing was written."""


class AttemptTooLongError(TollgateError):
    """This attempt has run for as long as one may: it asks Stripe nothing more, another one goes on."""


class CancelAskedError(TollgateError):
    """An operator has cancelled this job: this attempt asks Stripe nothing more, another one ends it."""


class StoppingError(TollgateError):
    """This process stops and begins nothing new."""


class IllegalMoveError(TollgateError):
    """A state may not follow that state."""


class DuplicatePaymentError(TollgateError):
    """The booking has a live payment already, and the request asks that a second one be refused."""


class DatabaseAwayError(TollgateError):
    """PostgreSQL does not answer."""


class RedisAwayError(TollgateError):
    """Redis does not answer."""


class StripeError(TollgateError):
    """Stripe did not do what it was asked.

    Args:
        message: what went wrong, in words an operator can act on; never holds personal data.
        code: Stripe's error code or decline code, if it gave one.
        request_id: Stripe's `Request-Id`, for its dashboard and its support.
        retry_after: seconds Stripe asked us to wait, if it did.
        replayed: whether the answer was the stored result of an earlier request with the same key.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        replayed: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.replayed = replayed


class StripeDeclinedError(StripeError):
    """The card was declined: an outcome, not a failure."""


class StripeInvalidError(StripeError):
    """Stripe refused the request as wrong: sending it again cannot help."""


class StripeOutcomeUnknownError(StripeError):
    """The request may have taken effect at Stripe: look before doing anything else."""


class StripeUnavailableError(StripeError):
    """Stripe was not reached or did nothing: the same request may be sent again."""


class StripeRateLimitedError(StripeUnavailableError):
    """Stripe asks for fewer requests."""


class BreakerOpenError(StripeUnavailableError):
    """The circuit breaker is open: nothing was sent to Stripe."""


class StripeMisconfiguredError(StripeError):
    """Stripe refuses our key or our account's set-up: an operator must act."""


class StripeKeyReusedError(StripeMisconfiguredError):
    """An idempotency key was used with two requests: a fault of our own, which no repetition can mend."""


class WebsiteError(TollgateError):
    """A client's website did not take a notification.

    Args:
        message: what went wrong; holds no more of the URL than its host.
        gone: whether the website says that the address is gone for good.
        retry_after: seconds the website asked us to wait, if it did.
    """

    def __init__(self, message: str | None = None, *, gone: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.gone = gone
        self.retry_after = retry_after


class WebsiteAddressError(WebsiteError):
    """Notifications may not go to this address."""


class WebsitePausedError(WebsiteError):
    """Nothing is sent to this endpoint for a moment: it has failed again and again, or has enough under way."""


class JobEndedError(TollgateError):
    """The job did not end well; this is how Celery and Flower are told."""


class JobDeadError(JobEndedError):
    """The job is dead: it lies in its queue's dead letters."""


class JobRefusedError(JobEndedError):
    """The job was refused."""


class JobWaitsError(JobEndedError):
    """The job will run again."""
