#!/bin/sh
# sh tests/apt.sh MISSING ELSEWHERE PACKAGE...: installs packages of Debian or Ubuntu that the tests need, as
# root or with sudo. Where it cannot, it says that MISSING is missing and what to do: what to run, or
# ELSEWHERE on other systems.
set -eu

missing=$1
elsewhere=$2
shift 2

if ! command -v apt-get >/dev/null 2>&1; then
    echo "$missing is missing, and this system has no apt-get: $elsewhere" >&2
    exit 1
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "$missing is missing. Run as root: apt-get install -y --no-install-recommends $*" >&2
        exit 1
    fi
    as_root=sudo
fi

# A source that does not answer, of whatever else, does not keep packages of the others away.
$as_root apt-get update >&2 || true
# Another installation may hold the lock of the package database: wait for it, up to five minutes.
if ! $as_root apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" >&2; then
    echo "$missing is missing, and apt-get cannot install $*: $elsewhere" >&2
    exit 1
fi
