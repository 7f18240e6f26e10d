#!/usr/bin/env bash
# Fetch SimBench's load and sunshine profiles of 2016 out of PyPI's wheel (91 MB) into .deps/simbench, and make of them
# .deps/simbench/case33.csv, which the tasks grid-33bus-recorded and -unseen play. Does nothing, quietly, when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "simbench: $*" >&2
    exit 2
}

readonly folder=.deps/simbench inside=simbench/networks/1-complete_data-mixed-all-0-sw
source scripts/pip.sh
take_from_wheels scripts/simbench.txt "$folder" "$inside/LoadProfile.csv=raw/LoadProfile.csv" \
    "$inside/RESProfile.csv=raw/RESProfile.csv" 'simbench-*.dist-info/licenses/LICENSE=licence/LICENSE' \
    'simbench-*.dist-info/licenses/AUTHORS=licence/AUTHORS'
if [[ ! -f $folder/case33.csv ]]; then
    python3 scripts/grid/profiles.py "$folder/raw" --out "$folder/case33.csv"
    echo "simbench: $folder/case33.csv is made of SimBench's database, https://simbench.de, (c) University of Kassel, TU Dortmund, RWTH
Aachen University and Fraunhofer IEE. It is available under the Open Database License 1.0 (opendatacommons.org/licenses/odbl/1.0):
whoever passes on a database that is derived from it, such as logs of these tasks, does so under that license. See $folder/licence."
fi
