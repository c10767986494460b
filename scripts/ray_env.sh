#!/usr/bin/env bash
# Makes the environment of tests/farm/test_ray_run.py: Ray, over what `make setup` has installed.
#
#   scripts/ray_env.sh [VENV]      VENV is .venv-ray unless named; BASE names another base than .venv
#
# 290 MB on disk, for `lumivid farm run --ray` alone, so that neither `make setup` nor `make test`
# installs it: users have it as the extra lumivid-fx[ray]. Run the test with its own Python:
#   .venv-ray/bin/python -m pytest tests/farm/test_ray_run.py
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-.venv-ray}
base=$(realpath "${BASE:-.venv}")
[ -x "$base/bin/python" ] || { echo "ray: $base has no Python; run make setup first, or name one: BASE=path" >&2; exit 1; }

[ -e "$venv" ] || "$base/bin/python" -m venv "$venv"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input ray==2.60.0
# What the base has comes after what is here.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$base/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$site/lumivid-base.pth"
{ printf '%s\n' "$PWD/src"; } >"$site/lumivid-checkout.pth"
RAY_USAGE_STATS_ENABLED=0 "$venv/bin/python" -c 'import ray, torch, lumivid_fx; print("ray:", ray.__version__, "is ready")'
