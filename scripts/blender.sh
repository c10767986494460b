#!/usr/bin/env bash
# Makes the environment of tests/nuke/test_blender.py: Blender as a Python module, and our client.
#
#   scripts/blender.sh [VENV]      VENV is .venv-blender unless named
#
# 350 MB to fetch, 850 MB on disk, GPL: for that one test alone, so that neither `make setup` nor
# `make test` installs it. bpy 5.0.1 is built for Python 3.11; PYTHON names one that is not on PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-.venv-blender}
python=${PYTHON:-python3.11}

if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; then
    printf 'blender: %s is no Python 3.11, and bpy 5.0.1 is built for that one.\n' "$python" >&2
    printf 'Name one: PYTHON=/path/to/python3.11 scripts/blender.sh\n' >&2
    exit 1
fi
[ -e "$venv" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
    --editable . bpy==5.0.1
"$venv/bin/python" -c 'import bpy, lumivid_fx.client; print("blender:", bpy.app.version_string, "is ready")'
