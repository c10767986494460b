#!/usr/bin/env bash
# Installs the programs of Debian's packages that the full tests use; does nothing where all are there.
# Where it cannot, it says in one line what is skipped without them, and ends with 1.
set -euo pipefail

# program:package that brings it
needed=(
    chromium:chromium # the review page is looked at in it
    ffprobe:ffmpeg    # reads deliveries back, apart from the library that wrote them
)

missing=()
for pair in "${needed[@]}"; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

skip() {
    echo "apt: $1, so that tests which need ${missing[*]} are skipped" >&2
    exit 1
}

command -v apt-get >/dev/null 2>&1 || skip "this system has no apt-get"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || skip "this is not root, and sudo asks for a password"
    as_root=(sudo -n)
fi

echo "apt: installing ${missing[*]}"
wait_for_others=(-o DPkg::Lock::Timeout=300)
${as_root[@]+"${as_root[@]}"} apt-get "${wait_for_others[@]}" -qq update || skip "apt-get update failed"
${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get "${wait_for_others[@]}" -yqq --no-install-recommends install "${missing[@]}" >/dev/null ||
    skip "apt-get install failed"
