#!/bin/sh
# Prints the path of a Python of version 3.11 or newer that a program can be linked with: one whose shared
# library is there. Installs Debian's where there is none. PYTHON names another one, which comes first.
set -eu

fits() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c '
import os, sys, sysconfig
of = sysconfig.get_config_var
library = os.path.join(of("LIBDIR") or "", of("LDLIBRARY") or "none")
shared = of("Py_ENABLE_SHARED") or of("PYTHONFRAMEWORK")
sys.exit(not (sys.version_info >= (3, 11) and shared and (of("PYTHONFRAMEWORK") or os.path.exists(library))))
' >/dev/null 2>&1
}

first() {
    for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if fits "$python"; then
            command -v "$python"
            return 0
        fi
    done
    return 1
}

first && exit 0
sh "$(dirname "$0")/../apt.sh" "a Python 3.11 or newer with its shared library" \
    "install it (with pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared), and set PYTHON to its path." python3 libpython3-dev
if ! first; then
    echo "No Python of 3.11 or newer has a shared library here: install one, and set PYTHON to its path." >&2
    exit 1
fi
