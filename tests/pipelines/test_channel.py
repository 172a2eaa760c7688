"""The bounded queue: order, bound, ends and statistics."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from ffzero.errors import CancelledError, UsageError
from ffzero.pipelines.channel import Channel, ChannelEnded
from ffzero.pipelines.sizes import size_of
from ffzero.reporting import CancelToken


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
    with pytest.raises(UsageError):
        Channel(1, capacity_bytes=0)


def test_bytes_are_bounded_too() -> None:
    channel = Channel(100, capacity_bytes=10)

    def produce() -> None:
        for size in (4, 4, 4, 30, 1, 1):
            channel.put(bytes(size))
        channel.close()

    producer = threading.Thread(target=produce)
    producer.start()
    time.sleep(0.05)
    assert (len(channel), channel.get_stats()["bytes"]) == (2, 8)
    assert [len(item) for item in channel] == [4, 4, 4, 30, 1, 1]  # what is too large by itself still passes, alone
    producer.join(10)
    stats = channel.get_stats()
    assert (stats["bytes"], stats["depth"], stats["peak_bytes"], stats["capacity_bytes"]) == (0, 0, 30, 10)
    assert stats["peak_items"] == 2


def test_items_are_measured_as_told() -> None:
    channel = Channel(100, capacity_bytes=10, measure=len)
    for word in ("four", "four"):
        channel.put(word)
    assert channel.get_stats()["bytes"] == 8
    assert channel.get() == "four"
    assert channel.get_stats()["bytes"] == 4
    channel.cancel()
    assert channel.get_stats()["bytes"] == 0


def test_sizes_of_what_flows() -> None:
    assert size_of(np.zeros((4, 5), np.uint16)) == 40
    assert size_of(memoryview(bytes(7))) == 7
    assert size_of([bytes(3), (bytearray(4), np.zeros(2, np.uint8))]) == 9
    assert 0 < size_of("in.mp4") < 1000


def test_who_waits_can_be_cancelled() -> None:
    channel, token = Channel(1), CancelToken()
    threading.Timer(0.05, token.cancel).start()
    with pytest.raises(CancelledError):
        channel.get(token)
