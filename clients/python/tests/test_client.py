"""Against a real sidecar: BREAKWATER_URL is its control listener, BREAKWATER_AWAY an address where nothing listens."""

import asyncio
import json
import logging
import os
import socket
import time
import unittest
import uuid
from enum import Enum

from breakwater_client import (
    CheckpointData,
    CheckpointManager,
    CheckpointStage,
    Refused,
    Settings,
    SyncCheckpointManager,
    TimeoutManager,
    Unauthorized,
    Unavailable,
    get_checkpoint_manager,
    get_sync_checkpoint_manager,
    get_timeout_manager,
)
from breakwater_client.timeouts import make_video_formula

AWAY = os.environ["BREAKWATER_AWAY"]
SHORTS = [{"video_id": f"v{i}"} for i in range(5)]


def video_id(short):
    return short["video_id"]


class Sync(unittest.TestCase):
    def setUp(self):
        self.manager = SyncCheckpointManager(Settings(on_unavailable="raise"))
        self.addCleanup(self.manager.close)

    def test_saves_loads_and_clears(self):
        stage = CheckpointStage.DOWNLOADING_SHORTS
        self.assertIsNone(self.manager.load_checkpoint("sync-1"))
        self.assertIs(self.manager.save_checkpoint("sync-1", stage, 2, 5, ["v0", "v1"], {"a": [1]}), True)
        loaded = self.manager.load_checkpoint("sync-1")
        self.assertIsInstance(loaded, CheckpointData)
        self.assertEqual(
            {**loaded.to_dict(), "timestamp": ""},
            {
                "stage": "downloading_shorts",
                "progress": 0.4,
                "completed_items": 2,
                "total_items": 5,
                "item_ids": ["v0", "v1"],
                "metadata": {"a": [1]},
                "timestamp": "",
            },
        )
        self.assertEqual(self.manager.get_remaining_items("sync-1", SHORTS, video_id), SHORTS[2:])
        self.assertIs(self.manager.clear_checkpoint("sync-1"), True)
        self.assertIs(self.manager.clear_checkpoint("sync-1"), True)
        self.assertIsNone(self.manager.load_checkpoint("sync-1"))
        self.assertEqual(self.manager.get_remaining_items("sync-1", SHORTS, video_id), SHORTS)

    def test_takes_the_services_own_stages_in_every_call(self):
        own = Enum("Stage", {"FIRST": "first_stage"}, type=str)
        self.manager.append_items("sync-own", own.FIRST, ["a"], 2)
        self.assertEqual(self.manager.load_checkpoint("sync-own", own.FIRST).item_ids, ["a"])

    def test_appends_as_a_set_and_by_stage(self):
        self.manager.append_items("sync-2", "first", ["a", "b"], total_items=4)
        self.manager.append_items("sync-2", "first", ["b", "c"], metadata={"k": 1}, attempt=2)
        self.manager.append_items("sync-2", "second", [])
        first = self.manager.load_checkpoint("sync-2", "first")
        self.assertEqual((first.item_ids, first.progress, first.metadata), (["a", "b", "c"], 0.75, {"k": 1}))
        self.assertEqual(self.manager.load_checkpoint("sync-2").stage, "second")
        with self.assertRaises(Refused) as refused:
            self.manager.append_items("sync-2", "first", ["x"], attempt=1)
        self.assertEqual((refused.exception.status, refused.exception.field), (409, "attempt"))

    def test_says_when_to_save(self):
        due = [self.manager.should_save_checkpoint(done, 25) for done in (0, 9, 10, 24, 25)]
        self.assertEqual(due, [True, False, True, False, True])
        self.manager.set_checkpoint_interval(3)
        self.assertEqual([self.manager.should_save_checkpoint(done, 25) for done in (3, 10)], [True, False])

    def test_names_the_field_of_a_wrong_call(self):
        for field, call in {
            "stage": lambda: self.manager.append_items("j", "No Stage", ["a"]),
            "total_items": lambda: self.manager.save_checkpoint("j", "s", 1, -1, []),
            "job": lambda: self.manager.load_checkpoint("no/job?"),
        }.items():
            with self.subTest(field), self.assertRaises(Refused) as refused:
                call()
            self.assertEqual((refused.exception.status, refused.exception.field), (400, field))

    def test_is_one_for_the_process(self):
        self.assertIs(get_sync_checkpoint_manager(), get_sync_checkpoint_manager())
        self.assertIs(get_sync_checkpoint_manager().append_items("sync-3", "s", ["a"]), True)


    def test_takes_ids_of_any_kind_in_every_call(self):
        job, items = uuid.uuid4(), [7, "b", uuid.uuid4()]
        self.assertIs(self.manager.append_items(job, "s", items[:2]), True)
        self.assertEqual(self.manager.load_checkpoint(str(job)).item_ids, ["7", "b"])
        self.assertEqual(self.manager.get_remaining_items(job, items), items[2:])
        self.assertIs(self.manager.save_checkpoint(9, "s", 3, 3, items), True)
        self.assertEqual(self.manager.get_remaining_items("9", items), [])
        self.assertIs(self.manager.clear_checkpoint(9), True)
        for wrong in (None, True):
            with self.subTest(wrong), self.assertRaises(TypeError):
                self.manager.append_items("j", "s", [wrong])
            with self.subTest(wrong), self.assertRaises(TypeError):
                self.manager.load_checkpoint(wrong)

    def test_is_closed_by_with(self):
        with SyncCheckpointManager() as manager, TimeoutManager() as timeouts:
            manager.append_items("sync-4", "s", ["a"])
            timeouts.calculate_timeouts(10, 60)
            clients = [manager._control._client, timeouts._sync._client]
        self.assertEqual([client.is_closed for client in clients], [True, True])

    def test_writes_without_delay(self):
        """Head and body are two writes: with Nagle's algorithm the second waits 40 ms for an acknowledgement."""
        told = []

        def look(response):
            connection = response.extensions["network_stream"].get_extra_info("socket")
            told.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        self.manager._control._open().event_hooks = {"response": [look]}
        self.manager.append_items("sync-5", "s", ["a"])
        self.assertEqual([bool(one) for one in told], [True])


class Async(unittest.TestCase):
    """Each test in event loops of its own, as Celery tasks with asyncio.run have them."""

    def test_does_the_same(self):
        async def story():
            manager = get_checkpoint_manager(redis_store=object())
            await asyncio.gather(*(manager.append_items("async-1", "s", [f"v{i}"], 5) for i in range(4)))
            saved = await manager.load_checkpoint("async-1")
            remaining = await manager.get_remaining_items("async-1", SHORTS, video_id)
            due = await manager.should_save_checkpoint(20, 50)
            return saved.progress, remaining, due

        self.assertEqual(asyncio.run(story()), (0.8, SHORTS[4:], True))

        async def later():
            manager = get_checkpoint_manager()
            await manager.save_checkpoint("async-1", CheckpointStage.COMPLETED, 5, 5, [])
            stage = (await manager.load_checkpoint("async-1")).stage
            cleared = await manager.clear_checkpoint("async-1")
            await manager.close()
            return stage, cleared

        self.assertEqual(asyncio.run(later()), ("completed", True))


    def test_is_closed_by_async_with(self):
        async def story():
            async with CheckpointManager() as manager, TimeoutManager() as timeouts:
                await manager.append_items(7, "s", [1])
                await timeouts.calculate_timeouts_async(10, 60)
                clients = [manager._control._client, timeouts._async._client]
            return [client.is_closed for client in clients]

        self.assertEqual(asyncio.run(story()), [True, True])


class TimeoutsOfAJob(unittest.TestCase):
    TABLE = [
        (10, 60, "16:9", (100, 30, 150, 270)),
        (50, 300, "9:16", (390, 100, 765, 1255)),
        (1, 5, "1:1", (64, 30, 67, 133)),
        (0, 60, "16:9", (60, 30, 150, 210)),
        (0, 0, "16:9", (60, 30, 60, 120)),
        (500, 3600, "9:16", (3090, 1000, 3600, 3600)),
    ]

    def test_are_those_of_the_sidecar_and_of_the_formula_that_stands_in(self):
        for shorts_count, audio_duration, aspect_ratio, expected in self.TABLE:
            asked = get_timeout_manager().calculate_timeouts(
                shorts_count=shorts_count, audio_duration=audio_duration, aspect_ratio=aspect_ratio
            )
            self.assertEqual((asked.download, asked.validation, asked.build, asked.total), expected)
            self.assertEqual(make_video_formula(shorts_count, audio_duration, aspect_ratio), asked)
        waited = asyncio.run(get_timeout_manager().calculate_timeouts_async(10, 60, "9:16"))
        self.assertEqual((waited.download, waited.build), (150, 225))

    def test_are_refused_for_a_shape_that_is_none(self):
        with self.assertRaises(Refused) as refused:
            get_timeout_manager().calculate_timeouts(-1, 60)
        self.assertEqual(refused.exception.field, "shorts_count")


class Away(unittest.TestCase):
    def everything(self, **how):
        manager = SyncCheckpointManager(Settings(AWAY, **how))
        return (
            manager.save_checkpoint("j", "s", 1, 2, ["a"]),
            manager.append_items("j", "s", ["a"]),
            manager.load_checkpoint("j"),
            manager.should_save_checkpoint(10, 50),
            manager.get_remaining_items("j", SHORTS, video_id),
            manager.clear_checkpoint("j"),
            TimeoutManager(Settings(AWAY, **how)).calculate_timeouts(10, 60).total,
        )

    WITHOUT = (False, False, None, True, SHORTS, False, 270)

    def test_is_logged_and_lived_with_by_default(self):
        with self.assertLogs("breakwater_client", logging.WARNING) as logged:
            self.assertEqual(self.everything(), self.WITHOUT)
        self.assertEqual(len(logged.output), 7)

    def test_is_ignored_or_told_to_the_caller(self):
        told = []
        with self.assertNoLogs("breakwater_client"):
            self.assertEqual(self.everything(on_unavailable="ignore"), self.WITHOUT)
            self.assertEqual(self.everything(on_unavailable=told.append), self.WITHOUT)
        self.assertEqual([type(error) for error in told], [Unavailable] * 7)

    def test_is_raised(self):
        with self.assertRaises(Unavailable):
            self.everything(on_unavailable="raise")
        with self.assertRaises(Unavailable):
            asyncio.run(CheckpointManager(Settings(AWAY, on_unavailable="raise")).load_checkpoint("j"))
        with self.assertRaises(ValueError):
            self.everything(on_unavailable="shout")

    def test_is_waited_for_as_long_as_asked(self):
        started = time.monotonic()
        with self.assertRaises(Unavailable):
            SyncCheckpointManager(Settings(AWAY, patience_s=0.5, on_unavailable="raise")).load_checkpoint("j")
        self.assertTrue(0.1 < time.monotonic() - started < 3)


class WithToken(unittest.TestCase):
    def test_is_let_in_with_the_token(self):
        manager = SyncCheckpointManager(Settings(os.environ["BREAKWATER_GUARDED"], token="s3cret"))
        self.assertIsNone(manager.load_checkpoint("j"))

    def test_a_wrong_token_is_like_a_sidecar_that_is_away(self):
        url = os.environ["BREAKWATER_GUARDED"]
        # Patience is for what may pass: it would outlast the test.
        settings = Settings(url, token="wrong", patience_s=600)
        with self.assertLogs("breakwater_client", logging.WARNING) as logged:
            manager = SyncCheckpointManager(settings)
            self.assertIsNone(manager.load_checkpoint("j"))
            self.assertIs(manager.append_items("j", "s", ["a"]), False)
            self.assertEqual(manager.get_remaining_items("j", SHORTS, video_id), SHORTS)
            self.assertEqual(TimeoutManager(settings).calculate_timeouts(10, 60).total, 270)
            self.assertIsNone(asyncio.run(CheckpointManager(settings).load_checkpoint("j")))
        self.assertEqual(len(logged.output), 5)
        self.assertIn("401", logged.output[0])
        with self.assertRaises(Unauthorized):
            SyncCheckpointManager(Settings(url, token="", on_unavailable="raise")).load_checkpoint("j")


class ExistingService(unittest.TestCase):
    def test_a_record_of_ours_makes_its_dataclass(self):
        text = os.environ.get("BREAKWATER_RECORD")
        if text is None:
            self.skipTest("no record of a Redis store given")
        self.assertEqual(CheckpointData(**json.loads(text)).item_ids, ["a", "ü"])


if __name__ == "__main__":
    unittest.main()
