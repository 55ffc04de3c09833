"""Many commands in one round trip, as bytes that are made once: the client library packs each word of each command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis


def count(words: int) -> bytes:
    """How a command of so many words begins, in Valkey's protocol."""
    return b"*%d\r\n" % words


def word(said: bytes) -> bytes:
    """One of the words that follow."""
    return b"$%d\r\n%b\r\n" % (len(said), said)


def exchange(client: Redis, commands: Sequence[bytes]) -> list[Any]:
    """Send the commands at once, and hear every answer.

    Raises:
        redis.RedisError: Valkey does not answer, or one answer is an error; what was sent after it may have been done.
    """
    connection: Any = client.connection_pool.get_connection()
    try:
        connection.send_packed_command([b"".join(commands)])
        return [connection.read_response() for _ in commands]
    except BaseException:
        connection.disconnect()  # answers that nobody has heard are still to come
        raise
    finally:
        client.connection_pool.release(connection)
