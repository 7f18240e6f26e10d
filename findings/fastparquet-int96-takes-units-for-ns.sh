#!/usr/bin/env bash
# fastparquet 2026.9.0 with pandas 3.1.1: times written as INT96, as Spark and Hive want them, are those of 1970.
#
# Guess: `times="int96"` writes the same moments as the default, in the older type.
# Seen: it takes the column's numbers for nanoseconds, whatever their unit. Since pandas 3 a column of texts that became times has
# microseconds, so a stamp of 2026 is one of January 1970, and rows 100 ms apart are 100 us apart. Nothing is said. fastparquet and
# pyarrow read the same wrong moments back, so the file is wrong and not a reader. Columns in nanoseconds are right, and so is
# `times="int64"`, the default. In a log this is a robot that ran a thousand times as fast: `df["t"].astype("datetime64[ns]")` before writing.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check fastparquet==2026.9.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6

venv/bin/python -W ignore - <<'PYTHON'
import fastparquet
import pandas
import pyarrow
import pyarrow.parquet

print("fastparquet", fastparquet.__version__, "pandas", pandas.__version__, "pyarrow", pyarrow.__version__)
texts = ["2026-11-29 12:00:00.100", "2026-11-29 12:00:00.200"]
log = pandas.DataFrame({"t": pandas.to_datetime(texts)})
print("texts become", log["t"].dtype)
assert log["t"].dtype == "datetime64[us]", "pandas makes other times: look again"

for unit, times, is_right in [("us", "int64", True), ("us", "int96", False), ("ns", "int96", True)]:
    fastparquet.write("log.parquet", log.astype({"t": f"datetime64[{unit}]"}), times=times)
    read = pyarrow.parquet.read_table("log.parquet")["t"].to_pylist()
    again = pandas.read_parquet("log.parquet", engine="fastparquet")["t"].tolist()
    print(f"{unit} as {times}: {read[0]}, then {(read[1] - read[0]).total_seconds()} s")
    assert [pandas.Timestamp(x) for x in read] == again, "its own reader differs: look again"
    assert (again == [pandas.Timestamp(text) for text in texts]) == is_right, "it writes otherwise: look again"
PYTHON
