#!/usr/bin/env bash
# Measures our kernels beside others: usage bench.sh [--quick] [--no-wasm] [--only TEXT] [NAME...]
# Names: erasure crush proof upload grid; without one, all of them. Prints tables and writes
# benches/out/NAME.json. --quick takes fewer and shorter samples, --no-wasm leaves out what needs the
# node's executor (a long first build), --only measures the cases whose name contains TEXT.
# What a rival needs is built outside of the checkout; a rival that cannot be had is left out, and the
# output says why. See benches/README.md.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

ALL=(erasure crush proof upload grid)

names=()
options=(--out "$ROOT/benches/out")
wasm=yes
while [ $# -gt 0 ]; do
	case $1 in
	--quick) options+=(--quick) ;;
	--no-wasm) wasm= ;;
	--only)
		options+=(--only "${2:?--only needs a text}")
		shift
		;;
	-h | --help)
		sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
		exit
		;;
	*)
		case " ${ALL[*]} " in
		*" $1 "*) names+=("$1") ;;
		*)
			printf 'no bench is called %s; there are: %s\n' "$1" "${ALL[*]}" >&2
			exit 2
			;;
		esac
		;;
	esac
	shift
done
[ ${#names[@]} -gt 0 ] || names=("${ALL[@]}")

# Of its own: the features of the rivals are not those of the product.
export CARGO_TARGET_DIR=$HIPPIUS_CACHE/bench-target
BIN=$CARGO_TARGET_DIR/release
# The same compiler flags everywhere, or figures mean nothing.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

# Elsewhere than in CI, a dependency that one of our crates has gained is taken into Cargo.lock.
locked=()
if [ -n "${CI:-}" ]; then locked=(--locked); fi

build() { (cd "$ROOT/benches" && cargo build --release ${locked[@]+"${locked[@]}"} --quiet "$@"); }

# As substrate-wasm-builder builds a runtime; prints the module's path, or says why there is none.
build_guest() {
	local cargo=(cargo) sysroot
	if [ -n "${WASM_BUILD_TOOLCHAIN:-}" ]; then cargo=(rustup run "$WASM_BUILD_TOOLCHAIN" cargo); fi
	sysroot=$(rustc --print sysroot)
	if [ ${#cargo[@]} -eq 1 ] && [ ! -d "$sysroot/lib/rustlib/wasm32v1-none" ]; then
		printf 'wasm left out: the target wasm32v1-none is not installed, see scripts/setup.sh\n' >&2
		return 1
	fi
	local flags='--cfg substrate_runtime -C link-arg=--export-table'
	flags+=' -C link-arg=--export=__heap_base -C link-arg=--import-memory'
	(cd "$ROOT/benches" && RUSTFLAGS=$flags "${cargo[@]}" build ${locked[@]+"${locked[@]}"} --quiet \
		--profile wasm --target wasm32v1-none -p bench-guest) || return 1
	printf '%s\n' "$CARGO_TARGET_DIR/wasm32v1-none/wasm/bench_guest.wasm"
}

# Adds what a bench measures inside wasm to its report.
run_wasm() {
	local guest
	[ -n "$wasm" ] || return 0
	guest=$(build_guest) || return 0
	build -p bench-wasm
	"$BIN/bench-wasm" "${options[@]}" --set "bench=$1" --set "guest=$guest"
}

bench_erasure() {
	local isal system extra=()
	# One at a time: in one build, both would have the features of either.
	build -p rse-plain
	build -p rse-simd || printf 'reed-solomon-erasure with simd-accel left out: no C compiler?\n'
	build -p bench-erasure
	if isal=$("$ROOT/benches/isal.sh" "$HIPPIUS_CACHE/isal"); then
		extra+=(--set "isal=$isal" --set isal-version=2.32.1)
	fi
	# The distribution's, which is older.
	system=$({ ldconfig -p 2>/dev/null || true; } | awk '/libisal\.so\.2 /{print $NF; exit}')
	if [ -n "$system" ]; then
		system=$(readlink -f "$system")
		extra+=(--set "isal-system=$system" --set "isal-system-version=2.${system##*.so.2.0.}")
	else
		printf 'the distribution'"'"'s ISA-L left out: not installed (Debian: libisal2)\n'
	fi
	"$BIN/bench-erasure" "${options[@]}" ${extra[@]+"${extra[@]}"}
}

bench_crush() {
	local tool version extra=()
	build -p bench-crush
	tool=${HIPPIUS_CRUSHTOOL:-$(command -v crushtool || true)}
	if [ -n "$tool" ]; then
		version=${HIPPIUS_CRUSHTOOL_VERSION:-$(dpkg-query -W -f '${Version}' ceph-base 2>/dev/null || true)}
		extra+=(--set "crushtool=$tool" --set "crushtool-version=${version%%+*}")
	fi
	"$BIN/bench-crush" "${options[@]}" ${extra[@]+"${extra[@]}"}
	run_wasm crush
}

bench_proof() {
	build -p bench-proof
	"$BIN/bench-proof" "${options[@]}"
	run_wasm proof
}

bench_upload() {
	build -p bench-upload
	"$BIN/bench-upload" "${options[@]}"
}

bench_grid() {
	build -p bench-grid
	(cd "$ROOT" && cargo build --release ${locked[@]+"${locked[@]}"} --quiet -p arion-miner)
	"$BIN/bench-grid" "${options[@]}" --set "miner=$BIN/arion-miner"
}

for name in "${names[@]}"; do
	printf '== %s\n' "$name"
	"bench_$name"
done
