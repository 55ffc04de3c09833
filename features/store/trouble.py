"""What can be wrong with Valkey, in words of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from infra.errors import ServiceError
from infra.settings import Settings
from infra.valkey import valkey_address


@contextmanager
def valkey_trouble(settings: Settings) -> Iterator[None]:
    """Say what is wrong with the online store, and how to mend it.

    Raises:
        ServiceError: Valkey is down, slow, full, or does not let us in.
    """
    try:
        yield
    except redis.OutOfMemoryError as error:
        raise _error(settings, f"is full: {error}", _FULL) from error
    except redis.TimeoutError as error:
        raise _error(settings, f"does not answer in time: {error}", _SLOW) from error
    except redis.AuthenticationError as error:
        raise _error(settings, f"does not let us in: {error}", "Mend the password in PENCHANT_VALKEY_URL.") from error
    except redis.ConnectionError as error:
        raise _error(settings, f"does not answer: {error}", _DOWN) from error
    except redis.RedisError as error:
        raise _error(settings, f"refuses: {error}", "Look at its log; 'penchant status' says where it runs.") from error


_FULL = "Raise Valkey's maxmemory, or let idle users leave sooner (online_user_days), and materialise again."
_SLOW = "Find out what keeps it busy; for answers, api_timeout_ms says how long we wait."
_DOWN = "Start it with 'penchant up', or mend PENCHANT_VALKEY_URL."


def _error(settings: Settings, what: str, mend: str) -> ServiceError:
    return ServiceError(f"Valkey at {valkey_address(settings)} {what.rstrip('.')}.", mend)
