#!/bin/sh
# Prints the path of a Python of version 3.11 or newer, for the tests of what is generated for Python;
# installs Debian's python3 where there is none. PYTHON names another one.
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

sh "$(dirname "$0")/../apt.sh" "Python 3.11 or newer" \
    "install it (https://www.python.org/downloads), and put python3 on the PATH or set PYTHON to its path." python3
if ! fits python3; then
    echo "The system's python3 is older than 3.11: install a newer one, and set PYTHON to its path." >&2
    exit 1
fi
command -v python3
