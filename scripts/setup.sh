#!/usr/bin/env bash
# Makes the environment that `make` works in: a virtual environment with this checkout installed editable.
#
#   scripts/setup.sh [VENV]      VENV is .venv unless named
#
# PYTHON=/path/to/python3 names the interpreter; otherwise 3.11, 3.12 and 3.13 are tried in that order,
# because some machines offer a CPU build of torch for 3.11 alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${1:-.venv}

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# A Python that starts, is one of ours and can make environments. A pyenv shim may be there and not start.
usable() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
        >/dev/null 2>&1
}

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        usable "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13 that can make environments." \
            "Name another one, or unset PYTHON."
        printf '%s\n' "$PYTHON"
        return
    fi
    for candidate in python3.11 python3.12 python3.13 python3; do
        if usable "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 with venv and ensurepip was found on PATH." \
        "Install one (Debian 12: apt-get install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3."
}

if [ -e "$venv" ] && ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    fail "$venv is there, but no Python with pip starts in it (a moved or half-made environment)." \
        "Remove it and run this again: rm -r $venv"
fi
if [ ! -e "$venv" ]; then
    python=$(find_python)
    echo "setup: making $venv with $("$python" --version)"
    "$python" -m venv "$venv" || fail "$python could not make $venv; the lines above say why."
fi

# No NVIDIA GPU: hold torch to the version named for CPUs (constraints.txt says why).
constraints=()
if ! command -v nvidia-smi >/dev/null 2>&1; then
    constraints=(--constraint constraints.txt)
fi

echo "setup: installing the packages of pyproject.toml into $venv (a few minutes, about 1.5 GB)"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
    ${constraints[@]+"${constraints[@]}"} --editable '.[worker,train,metrics,evaluation,review,dev]' ||
    fail "pip could not install the packages; the lines above say why." \
        "Usual causes: no package index in reach, a full disk, or no torch wheel for this Python ($("$venv/bin/python" --version))." \
        "Once mended, run the same command again: what is already there is kept."
echo "setup: done"
