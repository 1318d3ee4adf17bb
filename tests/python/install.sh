#!/bin/sh
# Prints the path of a Python of version 3.11 or newer, for the tests of what is generated for Python; installs
# Debian's python3 where there is none. PYTHON names another one.
set -eu

fits() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if fits "$python"; then
        command -v "$python"
        exit 0
    fi
done

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Python 3.11 or newer is missing, and this system has no apt-get: install it from your packages or from" >&2
    echo "https://www.python.org/downloads, and put python3 on the PATH or set PYTHON to its path." >&2
    exit 1
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "Python 3.11 is missing. Run as root: apt-get install -y --no-install-recommends python3" >&2
        exit 1
    fi
    as_root=sudo
fi

$as_root apt-get update >&2
# Another installation may hold the lock of the package database: wait for it, up to five minutes.
$as_root apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends python3 >&2
if ! fits python3; then
    echo "The system's python3 is older than 3.11: install a newer one, and set PYTHON to its path." >&2
    exit 1
fi
command -v python3
