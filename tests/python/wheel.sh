#!/bin/sh
# Builds a wheel of the Python package with pip, installs it into a new virtual environment, and runs the
# package's tests against it. `$1` is the target folder.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
target=$1
tools=$(sh "$root/tests/python/venv.sh" "$target/python-venv")
venv="$target/python-wheel"
messages="$target/python-messages"

rm -rf "$venv" "$messages"
"$tools" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$root/tests/python/requirements.txt"
CARGO_TARGET_DIR="$target" "$venv/bin/python" -m pip install --disable-pip-version-check "$root/bindings/python"

CARGO_TARGET_DIR="$target" "$venv/bin/python" -m pip install --disable-pip-version-check "$root/examples/extension"

sed -n '/^```yaml$/,/^```$/{/^```/!p;}' "$root/docs/python.md" > "$target/python-page.yaml"
gen="cargo run --quiet --locked -p mycelium-cli --manifest-path $root/Cargo.toml -- gen"
$gen "$root/bindings/python/tests/contracts.yaml" --lang python --out "$messages/desk"
$gen "$root/bindings/python/tests/contracts.yaml" --lang python --msgspec --out "$messages/desk_msgspec"
$gen "$root/bindings/python/bench/contracts.yaml" --lang python --out "$messages/quotes"
$gen "$root/examples/notebook/contracts.yaml" --lang python --out "$messages/bars"
$gen "$root/contracts.yaml" --lang python --out "$messages/market"
$gen "$root/examples/extension/contracts.yaml" --lang python --out "$messages/crossing_messages"
$gen "$target/python-page.yaml" --lang python --out "$messages/messages"

cd "$root/bindings/python"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$messages" "$venv/bin/python" -m pytest -p no:cacheprovider tests
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$messages" "$venv/bin/python" -m pytest -q -p no:cacheprovider "$root/examples/extension/tests"
MYPYPATH="$messages" "$venv/bin/python" -m mypy --cache-dir "$messages/mypy" --strict tests/typed.py
