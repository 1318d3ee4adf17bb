#!/bin/sh
# Makes a virtual environment with what the tests of the Python package need, in the folder that is given,
# unless it is there already; prints the path of its Python.
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
    sh "$here/../apt.sh" "ensurepip of $python" \
        "install your system's package with it (python3-venv on Debian)." python3-venv >&2
fi

rm -rf "$venv"
"$python" -m venv "$venv" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
cp "$here/requirements.txt" "$venv/requirements.txt"
echo "$venv/bin/python"
