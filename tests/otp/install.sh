#!/bin/sh
# Installs what tests/tests/otp.rs compares against: Erlang's runtime, standard library and compiler, all of them in
# Debian's erlang-base. Does nothing when they are there already.
set -eu

if command -v erl >/dev/null 2>&1 && command -v erlc >/dev/null 2>&1; then
    exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
    echo "erl and erlc are missing, and this system has no apt-get." >&2
    echo "Install Erlang/OTP 25 or later with its compiler, from your packages or https://www.erlang.org/downloads," >&2
    echo "and put erl and erlc on the PATH." >&2
    exit 1
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "erl and erlc are missing. Run as root: apt-get install -y --no-install-recommends erlang-base" >&2
        exit 1
    fi
    as_root=sudo
fi

$as_root apt-get update
# Another installation may hold the lock of the package database: wait for it, up to five minutes.
$as_root apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends erlang-base
