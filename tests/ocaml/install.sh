#!/bin/sh
# For the tests of what is generated for OCaml: sees to it that ocamlopt (4.13 or newer) and dune (2.9 or
# newer) are there, and installs Debian's where they are not.
set -eu

if ! { command -v ocamlopt && command -v dune; } >/dev/null 2>&1; then
    sh "$(dirname "$0")/../apt.sh" "ocamlopt or dune" \
        "install OCaml 4.13 and dune 2.9 or newer, and put ocamlopt and dune on the PATH (https://ocaml.org/install)." ocaml-nox ocaml-dune
fi

version=$(ocamlopt -version)
case "$version" in
    [0-3].* | 4.[0-9].* | 4.0[0-9].* | 4.1[0-2].*)
        echo "ocamlopt is $version: install OCaml 4.13 or newer, and put it on the PATH." >&2
        exit 1
        ;;
esac
