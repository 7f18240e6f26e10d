"""Small logs that are right, from which a fuzzer begins: CSV, Parquet by pyarrow and polars, MCAP.

pip install pyarrow==26.0.1 pandas==3.1.1 polars==2.1.0 mcap==1.6.0 mcap-ros2-support==0.6.0
"""
import json
import os
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from mcap.writer import CompressionType, IndexType, Writer
from mcap_ros2._dynamic import serialize_dynamic

os.chdir(os.path.dirname(os.path.abspath(__file__)))
for kind in ["csv", "parquet", "mcap"]:
    os.makedirs(kind, exist_ok=True)
START = 1_764_423_000_000  # ms
rows = []
for run in ["r1", "r2"]:
    for step in range(6):
        START += 100 if step else 5000
        for agent in ["a", "b"]:
            x = round(0.25 * step - (agent == "b"), 3)
            rows.append({"time": START, "run": run, "agent": agent, "x": x, "y": [x, 2 * x], "n": step, "half": 0.5 * step, "level": 1.5 + step,
                         "mode": "end" if (run, step) == ("r1", 5) else ["off", "on"][step % 2], "trip": (run, step) == ("r2", 5)})
table = pd.DataFrame(rows)
table["time"] = pd.to_datetime(table["time"], unit="ms")

# CSV, as it comes and as it should not.
text = table.assign(y=table["y"].map(json.dumps))
text.to_csv("csv/taken-iso.csv", index=False)
text.assign(time=(text["time"] - text["time"][0]).dt.total_seconds(), y=table["y"].map(lambda y: f"[{y[0]} {y[1]}]")).to_csv("csv/taken-seconds.csv")
text.to_csv("csv/taken-tabs.csv", index=False, sep="\t", quoting=1, lineterminator="\r\n")
whole = open("csv/taken-iso.csv").read()
open("csv/latin.csv", "w", encoding="latin-1").write(whole.replace(",on,", ",\xe4n,", 1))
open("csv/taken-cut.csv", "w").write(whole[: len(whole) * 3 // 4])

# Parquet: every codec, both kinds of pages, types that logs have.
schema = pa.schema({"time": pa.timestamp("us"), "run": pa.dictionary(pa.int8(), pa.string()), "agent": pa.large_string(), "x": pa.float64(), "y": pa.list_(pa.float32()),
                    "n": pa.uint64(), "half": pa.float16(), "level": pa.decimal128(9, 2), "mode": pa.string(), "trip": pa.bool_()})
arrow = table.assign(half=table["half"].astype(np.float16), level=table["level"].map(lambda v: Decimal(str(v)))).to_dict("list")
arrow = pa.table({name: pa.array(arrow[name]).cast(kind) if name in ["run"] else pa.array(arrow[name], type=kind) for name, kind in zip(schema.names, schema.types)})
for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    pq.write_table(arrow, f"parquet/taken-{codec}.parquet", compression=codec, row_group_size=10, data_page_version="2.0" if codec in ["brotli", "zstd"] else "1.0",
                   use_dictionary=codec not in ["none", "gzip"], write_statistics=codec == "snappy", store_schema=False)
arrow = arrow.set_column(4, "y", arrow["y"].cast(pa.list_(pa.float32(), 2)))
pq.write_table(arrow, "parquet/taken-delta.parquet", use_dictionary=False, compression="none", store_schema=False,
               column_encoding={"n": "DELTA_BINARY_PACKED", "agent": "DELTA_BYTE_ARRAY", "mode": "DELTA_LENGTH_BYTE_ARRAY", "x": "BYTE_STREAM_SPLIT", "trip": "RLE"})
pl.from_arrow(arrow).write_parquet("parquet/taken-polars.parquet", statistics=False)

# MCAP: in chunks and not, packed and not, with and without sums and a summary.
HEADER = "MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n"
TIME = "MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n"
STATE = "std_msgs/Header header\nstring[] name\nfloat32 x\nfloat64[] y\nuint8 KIND=1\n===\n" + HEADER + "===\n" + TIME
SET = "Layout layout\nfloat64[2] data\n===\nMSG: my_msgs/Layout\nDim[] dim\nuint32 data_offset\n===\nMSG: my_msgs/Dim\nstring label\nuint16 size\n"


def log(name, steps=5, **options):
    with open(f"mcap/{name}.mcap", "wb") as file:
        writer = Writer(file, **options)
        writer.start(profile="ros2", library="made up")

        def topic(name, kind, text):
            schema = writer.register_schema(name=kind, encoding="ros2msg", data=text.encode())
            return writer.register_channel(topic=name, message_encoding="cdr", schema_id=schema), serialize_dynamic(kind, text)[kind]

        states = {agent: topic(f"/{agent}/state", "my_msgs/msg/State", STATE) for agent in ["a", "b"]}
        sets = {agent: topic(f"/{agent}/set", "my_msgs/msg/Set", SET) for agent in ["a", "b"]}
        runs = writer.register_channel(topic="/run", message_encoding="json", schema_id=0)
        for step in range(steps):
            stamp = 1_764_423_000_000_000_000 + step * 100_000_000
            writer.add_message(runs, stamp, json.dumps({"id": f"r{step // 3}", "more": [1, {"deep": [True, None]}]}).encode(), stamp, step)
            for agent in ["a", "b"]:
                header = {"stamp": {"sec": stamp // 10**9, "nanosec": stamp % 10**9}, "frame_id": agent}
                y = [0.5 * step, -0.25, 7.0][: 2 + step % 2]
                channel, encode = states[agent]
                writer.add_message(channel, stamp + 5, encode({"header": header, "name": ["y"], "x": 0.5 * step, "y": y}), stamp, step)
                data = {"layout": {"dim": [{"label": "u", "size": 2}], "data_offset": 0}, "data": [0.25 * (step % 3), 1.0]}
                channel, encode = sets[agent]
                writer.add_message(channel, stamp + 6, encode(data), stamp, step)
        writer.finish()


log("taken-chunks", compression=CompressionType.NONE, chunk_size=600)
log("taken-unchecked", compression=CompressionType.NONE, chunk_size=600, enable_crcs=False)
log("taken-zstd", compression=CompressionType.ZSTD, chunk_size=100_000)
log("taken-lz4", compression=CompressionType.LZ4, chunk_size=100_000, enable_crcs=False)
log("taken-flat", use_chunking=False, enable_crcs=False, index_types=IndexType.NONE)
log("taken-bare", use_chunking=False, enable_crcs=False, index_types=IndexType.NONE, repeat_channels=False, repeat_schemas=False, use_statistics=False, use_summary_offsets=False)
