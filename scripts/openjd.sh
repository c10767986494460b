#!/usr/bin/env bash
# Makes the environment in which exported job bundles are checked and run: the command line of Open Job
# Description.
#
#   scripts/openjd.sh [VENV]      VENV is .venv-openjd unless named
#
# It stands apart because openjd-cli pins its own libraries, pydantic among them, which lumivid-fx does
# without. About 70 MB, half a minute. The tests find it in the checkout, or where LUMIVID_OPENJD_ENV says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-.venv-openjd}
python=${PYTHON:-python3.11}

[ -e "$venv" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
    openjd-cli==0.8.0 openjd-model==0.13.0 openjd-sessions==0.13.0
"$venv/bin/openjd" --version >/dev/null
echo "openjd: $venv is ready"
