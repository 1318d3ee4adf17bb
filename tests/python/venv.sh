#!/bin/sh
# Makes a virtual environment with what the tests of the Python package need, in the folder that is given, unless it
# is there already; prints the path of its Python.
set -eu

here=$(dirname "$0")
venv=$1
python=$(sh "$here/install.sh")

if [ -x "$venv/bin/python" ] && cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    echo "$venv/bin/python"
    exit 0
fi

# Debian has the module that installs pip in a package of its own.
if ! "$python" -c 'import ensurepip' >/dev/null 2>&1; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "$python has no ensurepip: install your system's package with it (python3-venv on Debian)." >&2
        exit 1
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
    fi
    $as_root apt-get update >&2
    $as_root apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends python3-venv >&2
fi

rm -rf "$venv"
"$python" -m venv "$venv" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
cp "$here/requirements.txt" "$venv/requirements.txt"
echo "$venv/bin/python"
