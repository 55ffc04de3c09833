"""Live events: whatever fails between commit and Valkey, the next read knows the event."""

from __future__ import annotations

from uuid import uuid4

import pytest
import redis
from sqlalchemy.exc import OperationalError

from features.live.event import LiveEvent
from features.live.events import LiveEvents
from features.live.intake import patient_for

pytestmark = pytest.mark.integration
SINCE = 1_000


class Truth:
    """The inbox's stand-in: counts its reads, and may be down."""

    def __init__(self):
        self.events = []
        self.reads = 0
        self.down = False

    def since(self, _, since_us, most):
        if self.down:
            raise OperationalError("SELECT", None, Exception("down"))
        self.reads += 1
        return [event for event in sorted(self.events) if event.occurred_us >= since_us][-most:]


@pytest.fixture
def truth():
    return Truth()


@pytest.fixture
def user():
    return f"u-{uuid4()}"


@pytest.fixture
def client(services):
    client = patient_for(services, 500)
    yield client
    client.close()


@pytest.fixture
def live(client, truth):
    return LiveEvents(client, truth, 5)


@pytest.fixture
def unreachable():
    return redis.Redis(port=9, retry=None)


def event(number, at=None):
    return LiveEvent(at or SINCE + number, number, f"e{number}", "view", "i")


def write(live, truth, user, *events):
    """A writer that does everything right."""
    announced = live.announce([user])
    truth.events.extend(events)
    live.settle(announced, {user: events})


def test_the_first_read_asks_the_inbox_and_the_next_ones_do_not(live, truth, user):
    truth.events = [event(1), event(2)]
    for _ in range(3):
        recent = live.recent(user, SINCE)
        assert recent.events == [event(1), event(2)]
        assert recent.complete
    assert truth.reads == 1


def test_a_write_keeps_the_set_whole(live, truth, user):
    live.recent(user, SINCE)
    write(live, truth, user, event(1))
    assert live.recent(user, SINCE).events == [event(1)]
    assert truth.reads == 1


def test_a_user_without_events_is_not_asked_for_again(live, truth, user):
    for _ in range(3):
        assert live.recent(user, SINCE).events == []
    assert truth.reads == 1


def test_a_writer_that_dies_after_its_commit_is_made_good(live, truth, user):
    live.recent(user, SINCE)
    live.announce([user])
    truth.events.append(event(1))  # committed, and never settled
    for _ in range(2):
        assert live.recent(user, SINCE).events == [event(1)]
    assert truth.reads == 3  # the inbox is asked as long as the writer may still be at work


def test_a_settlement_that_fails_is_made_good(live, truth, user, monkeypatch):
    live.recent(user, SINCE)
    with monkeypatch.context() as patch:
        announced = live.announce([user])
        truth.events.append(event(1))
        patch.setattr(live, "_settle", raising(redis.ConnectionError("gone")))
        live.settle(announced, {user: [event(1)]})
    assert live.recent(user, SINCE).events == [event(1)]


def test_valkey_down_all_the_time(unreachable, truth, user):
    live = LiveEvents(unreachable, truth, 5)
    write(live, truth, user, event(1))
    recent = live.recent(user, SINCE)
    assert recent.events == [event(1)]
    assert recent.complete


def test_a_write_that_valkey_never_heard_of_is_read_from_the_inbox(live, truth, user, unreachable, client):
    live.recent(user, SINCE)
    live._client = unreachable
    write(live, truth, user, event(1))
    live._client = client  # back, with a set that calls itself whole
    assert live.recent(user, SINCE).events == [event(1)]
    live.tell()
    assert live.recent(user, SINCE).events == [event(1)]
    reads = truth.reads
    assert live.recent(user, SINCE).events == [event(1)]
    assert truth.reads == reads


def test_a_user_is_not_forgotten_while_a_writer_is_at_work(live, truth, user, unreachable, client):
    live.recent(user, SINCE)
    live._client = unreachable
    announced = live.announce([user])
    live._client = client
    live.tell()
    live.recent(user, SINCE)  # reads before the commit, and must not call its set whole
    truth.events.append(event(1))
    live.settle(announced, {user: [event(1)]})
    assert live.recent(user, SINCE).events == [event(1)]


def test_a_reader_that_overlaps_a_writer_does_not_hide_its_event(live, truth, user):
    announced = live.announce([user])
    assert live.recent(user, SINCE).events == []  # before the commit
    truth.events.append(event(1))
    live.settle(announced, {})  # its events were lost on the way
    assert live.recent(user, SINCE).events == [event(1)]


def test_two_writers_at_once(live, truth, user):
    live.recent(user, SINCE)
    first, second = live.announce([user]), live.announce([user])
    truth.events += [event(1), event(2)]
    live.settle(second, {user: [event(2)]})
    assert live.recent(user, SINCE).events == [event(1), event(2)]
    live.settle(first, {user: [event(1)]})
    assert live.recent(user, SINCE).events == [event(1), event(2)]


def test_a_refused_write_gives_back_what_it_took(live, truth, user):
    live.recent(user, SINCE)
    live.settle(live.announce([user]), {})
    live.recent(user, SINCE)
    assert truth.reads == 1


def test_a_valkey_that_lost_everything_is_filled_again(live, truth, user, client):
    write(live, truth, user, event(1))
    client.delete(*client.keys(f"*{user}*"))
    assert live.recent(user, SINCE).events == [event(1)]


def test_with_the_inbox_down_the_set_is_given_for_what_it_is(live, truth, user):
    write(live, truth, user, event(1))
    truth.down = True
    recent = live.recent(user, SINCE)
    assert recent.events == [event(1)]
    assert not recent.complete


def test_with_everything_down_nothing_is_known(unreachable, truth, user):
    truth.down = True
    assert not LiveEvents(unreachable, truth, 5).recent(user, SINCE).complete


def test_a_set_that_starts_too_late_is_not_believed(live, truth, user):
    truth.events = [event(1), event(2)]
    live.recent(user, SINCE + 2)
    assert live.recent(user, SINCE).events == [event(1), event(2)]


def test_events_before_the_last_closed_day_are_left_out(live, truth, user):
    truth.events = [event(1), event(2)]
    live.recent(user, SINCE)
    assert live.recent(user, SINCE + 2).events == [event(2)]


def test_only_the_last_events_are_kept_and_keys_expire(live, truth, user, client):
    live.recent(user, SINCE)
    write(live, truth, user, *(event(number) for number in range(1, 9)))
    assert live.recent(user, SINCE).events == [event(number) for number in range(4, 9)]
    keys = client.keys(f"*{user}*")
    assert keys
    assert all(client.ttl(key) > 0 for key in keys)


def test_events_of_one_moment_are_in_the_order_of_arrival(live, truth, user):
    same = [event(number, at=SINCE + 5) for number in (2, 10, 1)]
    live.recent(user, SINCE)
    write(live, truth, user, *same)
    assert [one.position for one in live.recent(user, SINCE).events] == [1, 2, 10]


def test_a_member_is_read_back_as_it_was():
    one = LiveEvent(5, 1, "é☂", "view", None, 7)
    assert LiveEvent.of_member(one.member()) == one
    assert one.member() == one.member()


def raising(error):
    def fail(*_, **__):
        raise error

    return fail
