#!/usr/bin/env bash
# What runs inside Nuke, and what installs it, typed as on Windows and macOS: a call that is not there is an error.
# Usage: other_systems.sh [path of mypy]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mypy="${1:-.venv/bin/mypy}"
package=src/lumivid_fx
for system in win32 darwin; do
    # A cache of its own: mypy throws away one that was made for another system.
    "$mypy" --platform "$system" --cache-dir ".mypy_cache/$system" \
        "$package/errors.py" "$package/protocol" "$package/client" "$package/install" nuke
done
