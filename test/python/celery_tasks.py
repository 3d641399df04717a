"""A task as make-video's: it downloads a job's items one by one through the sidecar, and saves each."""

import os
import time

import httpx
from celery import Celery

from breakwater_client import CheckpointStage, Settings, SyncCheckpointManager

app = Celery("videos", broker=os.environ["BROKER_URL"])
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True

checkpoints = SyncCheckpointManager(Settings(patience_s=20, on_unavailable="raise"))
upstream = httpx.Client(base_url=os.environ["DOWNLOADER_URL"], trust_env=False)


@app.task(name="download")
def download(job_id, items):
    for item in checkpoints.get_remaining_items(job_id, items):
        call("GET", f"/items/{item}")
        checkpoints.append_items(job_id, CheckpointStage.DOWNLOADING_SHORTS, [item], len(items))
    call("POST", f"/done/{job_id}")


def call(method, path):
    """The sidecar may be away: what it does not answer is asked again."""
    until = time.monotonic() + 20
    while True:
        try:
            return upstream.request(method, path).raise_for_status()
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
        time.sleep(0.1)
