#!/bin/sh
# Finds Mycelium's header and library: MYCELIUM_HOME is a clone of the repository (unless this folder lies in
# one), and MYCELIUM_LIB the folder of libmycelium_ffi.so (unless it is target/release of the clone), or
# `host` where the program is linked into one of Rust, which has the functions of that library.
set -eu

home=${MYCELIUM_HOME:-}
if [ -z "$home" ]; then
    home=$(pwd -P)
    while [ "$home" != / ] && [ ! -e "$home/bindings/ffi/include/mycelium.h" ]; do
        home=$(dirname "$home")
    done
fi
if [ ! -e "$home/bindings/ffi/include/mycelium.h" ]; then
    echo "mycelium.h is not found: set MYCELIUM_HOME to a clone of Mycelium's repository." >&2
    exit 1
fi
echo "(\"-I$home/bindings/ffi/include\")" > c_flags.sexp
lib=${MYCELIUM_LIB:-$home/target/release}
if [ "$lib" = host ]; then
    echo "()" > library_flags.sexp
    exit 0
fi
if [ ! -e "$lib/libmycelium_ffi.so" ] && [ ! -e "$lib/libmycelium_ffi.dylib" ]; then
    echo "libmycelium_ffi is not in $lib: run \`cargo build --release -p mycelium-ffi\` in $home, or set MYCELIUM_LIB to its folder." >&2
    exit 1
fi
echo "(\"-L$lib\" -lmycelium_ffi \"-Wl,-rpath,$lib\" -lpthread)" > library_flags.sexp
