"""Messages as other people's libraries write them, for `cargo test -p omiga-node`.

    pip install eclipse-zenoh==1.10.2 rosbags==0.11.9
    python generate.py

attachment.hex: zenoh's own serialisation of what `rmw_zenoh` puts beside a message (its `attachment_helpers.cpp`: three
names and values). cdr.json: messages of ROS 2 as `rosbags` writes them, from the definitions of ROS 2 Humble.
"""

import json
from pathlib import Path

import numpy as np
from rosbags.typesys import Stores, get_typestore
from zenoh.ext import Int64, z_serialize

here = Path(__file__).parent
names = [z_serialize(name) for name in ("sequence_number", "source_timestamp", "source_gid")]
values = [z_serialize(Int64(7)), z_serialize(Int64(1_700_000_000_123_456_789)), z_serialize(bytes(range(1, 17)))]
attachment = b"".join(bytes(part) for pair in zip(names, values) for part in pair)
(here / "attachment.hex").write_text(attachment.hex() + "\n")

store = get_typestore(Stores.ROS2_HUMBLE)
new = lambda name, *fields: store.types[name](*fields)
stamp = new("builtin_interfaces/msg/Time", 1_700_000_000, 123_456_789)
header = new("std_msgs/msg/Header", stamp, "base_link")
dim = new("std_msgs/msg/MultiArrayDimension", "joints", 3, 3)
vector = lambda x, y, z: new("geometry_msgs/msg/Vector3", x, y, z)
floats = np.array([0.5, -1.25, 3.0])
messages = {
    "std_msgs/msg/Float32MultiArray": new(
        "std_msgs/msg/Float32MultiArray", new("std_msgs/msg/MultiArrayLayout", [dim], 0), floats.astype(np.float32)
    ),
    "std_msgs/msg/Float64MultiArray": new(
        "std_msgs/msg/Float64MultiArray", new("std_msgs/msg/MultiArrayLayout", [], 0), floats
    ),
    "geometry_msgs/msg/Twist": new("geometry_msgs/msg/Twist", vector(0.5, 0.0, 0.0), vector(0.0, 0.0, -1.25)),
    "sensor_msgs/msg/JointState": new(
        "sensor_msgs/msg/JointState", header, ["knee", "ankle", "hip"], floats, floats * 2, floats[:0]
    ),
    "std_msgs/msg/Int32": new("std_msgs/msg/Int32", -2),
    "sensor_msgs/msg/Imu": new(
        "sensor_msgs/msg/Imu",
        header,
        new("geometry_msgs/msg/Quaternion", 0.0, 0.0, 0.6, 0.8),
        np.arange(9.0),
        vector(1.0, 2.0, 3.0),
        np.arange(9.0),
        vector(4.0, 5.0, 6.0),
        np.arange(9.0),
    ),
}
lines = [
    json.dumps({"type": name, "little": bytes(store.serialize_cdr(m, name)).hex(), "big": bytes(store.serialize_cdr(m, name, little_endian=False)).hex()})
    for name, m in messages.items()
]
(here / "cdr.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
