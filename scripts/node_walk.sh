#!/usr/bin/env bash
# The node as a studio gets it: a wheel is built and installed into a new environment, `lumivid nuke install` makes the
# folder for Nuke, and a bare Python with that folder and the tests' in-memory Nuke walks through a shot with a worker.
#
#   scripts/node_walk.sh [FOLDER]      FOLDER, a new one unless named, keeps all of it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
walk=${1:-$(mktemp -d)}
python=${PYTHON:-python3.11}
mkdir -p "$walk/shot"

echo "wheel and environment in $walk"
"$python" -m pip wheel -q --disable-pip-version-check --no-deps --wheel-dir "$walk/dist" .
[ -e "$walk/venv" ] || "$python" -m venv "$walk/venv"
command -v nvidia-smi >/dev/null 2>&1 || constraints=(--constraint constraints.txt)
"$walk/venv/bin/python" -m pip install -q --disable-pip-version-check ${constraints[@]+"${constraints[@]}"} \
    "$(ls "$walk"/dist/lumivid_fx-*.whl)[worker]"

# From here on nothing of the checkout is used but the clip, the in-memory host and the walk itself.
export LUMIVID_HOME="$walk/home"
cp src/lumivid_fx/demo/clip.mp4 "$walk/shot/"
cp -r tests/nuke/host "$walk/"
cp scripts/node_walk.py "$walk/"
cd "$walk"
lumivid="$walk/venv/bin/lumivid"
"$lumivid" nuke install --target "$walk/plug" --python 3.11
"$lumivid" worker --root "$walk/shot" --detach
trap '"$lumivid" worker stop >/dev/null' EXIT
"$python" -I -S -B node_walk.py "$walk/plug" "$walk/host" "$walk/shot"
