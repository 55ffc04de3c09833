"""Where Valkey keeps live events, and the two scripts that change them; each runs as one step.

Keys of a user, all of one hash slot::

    penchant:live:{U}           sorted set of events, score = occurred_us; bounded, expires
    penchant:live:{U}:whole     the set holds all events since this moment (microseconds); expires soon
    penchant:live:{U}:pending   writers that may have committed to the inbox and not yet written here
"""

from __future__ import annotations

from typing import Final

SET_SECONDS: Final = 3 * 86_400
#: Bounds how long a set can be believed that lost a write which nobody could announce.
WHOLE_SECONDS: Final = 60
#: Longer than any transaction of the inbox.
PENDING_SECONDS: Final = 60

#: KEYS set; ARGV limit, seconds, then score and member of each event.
_ADD: Final = """
local function add(key, limit, seconds, first)
    for i = first, #ARGV, 2 do redis.call('ZADD', key, ARGV[i], ARGV[i + 1]) end
    redis.call('ZREMRANGEBYRANK', key, 0, -(tonumber(limit) + 1))
    redis.call('EXPIRE', key, seconds)
end
"""
#: KEYS set, whole, pending; ARGV limit, seconds, whole's value and seconds, events.
FILL: Final = f"""{_ADD}
add(KEYS[1], ARGV[1], ARGV[2], 5)
if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4]) end
"""
#: The same, by a writer that gives back what it took; after an expiry nobody knows who is still pending.
SETTLE: Final = f"""{_ADD}
add(KEYS[1], ARGV[1], ARGV[2], 5)
local left = redis.call('DECR', KEYS[3])
if left <= 0 then redis.call('DEL', KEYS[3]) end
if left == 0 and ARGV[3] ~= '' then redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4]) end
"""


def keys(user_id: str) -> list[str]:
    """Set, whole, pending."""
    held = f"penchant:live:{{{user_id}}}"
    return [held, f"{held}:whole", f"{held}:pending"]
