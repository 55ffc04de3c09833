"""What can be wrong with Valkey, in words of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import redis

from infra.errors import ServiceError
from infra.settings import Settings
from infra.valkey import valkey_address

SLOW_ANSWER: Final = "Find out what keeps it busy; for answers, api_timeout_ms says how long we wait."
SLOW_WRITE: Final = "Find out what keeps it busy, and materialise again: the watermark has not moved."


@contextmanager
def valkey_trouble(settings: Settings, slow: str) -> Iterator[None]:
    """Say what is wrong with the online store, and how to mend it.

    Args:
        slow: what can be done about a store that does not answer in time, ``SLOW_ANSWER`` or ``SLOW_WRITE``.

    Raises:
        ServiceError: Valkey is down, slow, full, or does not let us in.
    """
    try:
        yield
    except redis.OutOfMemoryError as error:
        raise _error(settings, f"is full: {error}", _FULL) from error
    except redis.TimeoutError as error:
        raise _error(settings, f"does not answer in time: {error}", slow) from error
    except redis.AuthenticationError as error:
        raise _error(settings, f"does not let us in: {error}", "Mend the password in PENCHANT_VALKEY_URL.") from error
    except redis.ConnectionError as error:
        raise _error(settings, f"does not answer: {error}", _DOWN) from error
    except redis.RedisError as error:
        raise _error(settings, f"refuses: {error}", "Look at its log; 'penchant status' says where it runs.") from error


_FULL = "Raise Valkey's maxmemory, or let idle users leave sooner (online_user_days), and materialise again."
_DOWN = "Start it with 'penchant up', or mend PENCHANT_VALKEY_URL."


def _error(settings: Settings, what: str, mend: str) -> ServiceError:
    return ServiceError(f"Valkey at {valkey_address(settings)} {what.rstrip('.')}.", mend)
