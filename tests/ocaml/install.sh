#!/bin/sh
# For the tests of what is generated for OCaml: sees to it that ocamlopt (4.13 or newer) and dune (2.9 or newer) are
# there, and installs Debian's where they are not.
set -eu

is_there() {
    command -v ocamlopt >/dev/null 2>&1 && command -v dune >/dev/null 2>&1
}

if ! is_there; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "ocamlopt or dune is missing, and this system has no apt-get: install OCaml 4.13 and dune 2.9 or newer from" >&2
        echo "your packages or with opam (https://ocaml.org/install), and put ocamlopt and dune on the PATH." >&2
        exit 1
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "ocamlopt or dune is missing. Run as root: apt-get install -y --no-install-recommends ocaml-nox ocaml-dune" >&2
            exit 1
        fi
        as_root=sudo
    fi
    $as_root apt-get update >&2
    # Another installation may hold the lock of the package database: wait for it, up to five minutes.
    $as_root apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends ocaml-nox ocaml-dune >&2
fi

version=$(ocamlopt -version)
case "$version" in
    [0-3].* | 4.[0-9].* | 4.0[0-9].* | 4.1[0-2].*)
        echo "ocamlopt is $version: install OCaml 4.13 or newer, and put it on the PATH." >&2
        exit 1
        ;;
esac
