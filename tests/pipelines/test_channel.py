"""The bounded queue: order, bound, ends and statistics."""

from __future__ import annotations

import threading
import time

import pytest

from ffzero.errors import UsageError
from ffzero.pipelines.channel import Channel, ChannelEnded


def test_items_come_out_in_order_and_then_it_ends() -> None:
    channel = Channel(4, "a → b")
    for number in range(3):
        channel.put(number)
    channel.close()
    assert len(channel) == 3
    assert list(channel) == [0, 1, 2]
    with pytest.raises(ChannelEnded):
        channel.get()
    with pytest.raises(ChannelEnded):
        channel.put(3)
    stats = channel.get_stats()
    assert (stats["name"], stats["items"], stats["peak_items"], stats["capacity"]) == ("a → b", 3, 3, 4)


def test_a_full_channel_holds_the_producer_back() -> None:
    channel = Channel(2)

    def produce() -> None:
        for number in range(50):
            channel.put(number)
        channel.close()

    producer = threading.Thread(target=produce)
    producer.start()
    time.sleep(0.05)
    assert len(channel) == 2
    assert list(channel) == list(range(50))
    producer.join(10)
    stats = channel.get_stats()
    assert stats["peak_items"] == 2
    assert stats["items"] == 50
    assert stats["put_wait_s"] >= 0.04


def test_an_empty_channel_makes_the_consumer_wait_and_says_so() -> None:
    channel = Channel(2)
    threading.Timer(0.05, channel.put, ["late"]).start()
    assert channel.get() == "late"
    assert channel.get_stats()["get_wait_s"] >= 0.03


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_an_end_wakes_both_sides(end: str) -> None:
    full, empty = Channel(1), Channel(1)
    full.put(0)
    woken: list[str] = []

    def wait(name: str, call: object, *arguments: object) -> None:
        with pytest.raises(ChannelEnded):
            call(*arguments)  # type: ignore[operator]
        woken.append(name)

    threads = [
        threading.Thread(target=wait, args=("put", full.put, 1)),
        threading.Thread(target=wait, args=("get", empty.get)),
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.02)
    getattr(full, end)()
    getattr(empty, end)()
    for thread in threads:
        thread.join(10)
    assert sorted(woken) == ["get", "put"]
    assert len(full) == (0 if end == "cancel" else 1)


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(UsageError):
        Channel(0)
