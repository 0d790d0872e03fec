#!/usr/bin/env bash
# Measures what the pallets' calls and hooks cost, in the runtime's wasm, and writes it into their
# `measured.rs`. Takes some ten minutes; run it on a quiet machine. Arguments: pallets, by default all that
# have benchmarks (audits placement-groups heartbeats ranking rewards marketplace orders).
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT"

STEPS=${STEPS:-10}
REPEAT=${REPEAT:-10}
pallets=("$@")
[ $# -gt 0 ] || pallets=(audits placement-groups heartbeats ranking rewards marketplace orders)

# The wasm as the runtime's build makes it, with the benchmarks in it, and without building all of it for
# this machine as well.
wasm_target=$CARGO_TARGET_DIR/benchmarks
CARGO_TARGET_DIR=$wasm_target CARGO_PROFILE_RELEASE_LTO=thin CARGO_PROFILE_RELEASE_PANIC=abort \
	RUSTFLAGS="-C link-arg=--export-table -C link-arg=--export=__heap_base -C link-arg=--import-memory --cfg substrate_runtime" \
	cargo rustc -p hippius-runtime --crate-type cdylib --target wasm32v1-none --release \
	--no-default-features --features runtime-benchmarks
cargo build --release -p hippius-bencher

measured=()
for pallet in "${pallets[@]}"; do
	measured+=("pallet_${pallet//-/_}=pallets/$pallet/src/measured.rs")
done
"$CARGO_TARGET_DIR/release/hippius-bencher" --steps "$STEPS" --repeat "$REPEAT" \
	--runtime "$wasm_target/wasm32v1-none/release/hippius_runtime.wasm" "${measured[@]}"
rustfmt --edition 2021 "${measured[@]#*=}"
