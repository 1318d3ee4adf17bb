#!/bin/sh
# Installs what tests/tests/otp.rs compares against: Erlang's runtime, standard library and compiler, all of
# them in Debian's erlang-base. Does nothing when they are there already.
set -eu

if command -v erl >/dev/null 2>&1 && command -v erlc >/dev/null 2>&1; then
    exit 0
fi
exec sh "$(dirname "$0")/../apt.sh" "erl or erlc" \
    "install Erlang/OTP 25 or later with its compiler, from your packages or https://www.erlang.org/downloads, and put
erl and erlc on the PATH." erlang-base
