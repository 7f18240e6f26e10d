#!/usr/bin/env bash
# TensorBoard 2.20.0: an event file that is cut back and written on, while TensorBoard has it open, is shown wrong or no longer.
#
# A training that is resumed from a checkpoint has events beyond it, of updates that will be done again.
# Guess: cutting them off and appending the new ones is enough; TensorBoard reads the file again.
# Seen: an open TensorBoard goes on at its old place in the file. If the new events happen to end on the same bytes, the points of
# both lives are mixed; if not, it shows nothing new any more, without a word. Only a fresh start shows the file as it is.
# Right in both: leave the old events, append a `SessionLog` with `START` and the first step that is done again, and go on
# behind it; the old points disappear. Events that merely go back to an earlier step, without it, are shown twice.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check tensorboard==2.20.0 setuptools==80.9.0 numpy==2.3.5

venv/bin/python - <<'PYTHON'
import os

import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

print("tensorboard", tensorboard.__version__)


def scalar(step, value, tag="loss"):
    return Event(wall_time=1e9 + step, step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))


def append(path, events):
    with open(path, "ab") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString())
        writer.flush()


def first_life(path):
    append(path, [Event(wall_time=1e9, file_version="brain.Event:2")])
    append(path, [scalar(step, step) for step in range(1, 7)])
    kept = os.path.getsize(path)
    append(path, [scalar(step, step) for step in range(7, 11)])
    opened = EventAccumulator(path)
    opened.Reload()
    return kept, opened


def points(accumulator):
    accumulator.Reload()
    return [(event.step, event.value) for event in accumulator.Scalars("loss")]


second = [scalar(step, 100 + step) for step in range(7, 15)]
old = [(step, float(step)) for step in range(1, 11)]
right = old[:6] + [(step, 100.0 + step) for step in range(7, 15)]

kept, opened = first_life("aligned.tfevents")
os.truncate("aligned.tfevents", kept)
append("aligned.tfevents", second)
assert points(EventAccumulator("aligned.tfevents")) == right
found = points(opened)
print("cut and grown by equal records, open:", found)
assert found == old + right[10:], "TensorBoard sees a cut now"

kept, opened = first_life("other.tfevents")
os.truncate("other.tfevents", kept)
append("other.tfevents", [scalar(7, 0.5, "a tag of another length")] + second)
assert points(EventAccumulator("other.tfevents")) == right
found = points(opened)
print("cut and grown by other records, open:", found)
assert found == old, "TensorBoard sees a cut now"

_, opened = first_life("restarted.tfevents")
append("restarted.tfevents", [Event(wall_time=2e9, step=7, session_log=SessionLog(status=SessionLog.START))] + second)
assert points(opened) == right and points(EventAccumulator("restarted.tfevents")) == right
print("appended behind a START, open and fresh:", right)

first_life("plain.tfevents")
append("plain.tfevents", second)
assert points(EventAccumulator("plain.tfevents")) == old + right[6:], "steps that go back are no longer shown twice"
print("appended without a START: both lives are shown")
PYTHON
