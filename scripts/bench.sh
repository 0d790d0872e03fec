#!/usr/bin/env bash
# Measures our kernels beside others: usage bench.sh [--quick] [NAME...] [--only TEXT]. Names: erasure.
# Without a name, all. Prints tables and writes benches/out/NAME.json. What a rival needs is built
# outside of the checkout; a rival that cannot be had is left out, and the output says why.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

ALL=(erasure)

names=()
options=(--out "$ROOT/benches/out")
while [ $# -gt 0 ]; do
	case $1 in
	--quick) options+=(--quick) ;;
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
build() { (cd "$ROOT/benches" && cargo build --release --locked --quiet "$@"); }

bench_erasure() {
	# One at a time: in one build, both would have the features of either.
	build -p rse-plain
	build -p rse-simd || printf 'reed-solomon-erasure with simd-accel left out: no C compiler?\n'
	build -p bench-erasure
	local isal system extra=()
	if isal=$("$ROOT/benches/isal.sh" "$HIPPIUS_CACHE/isal"); then
		extra+=(--set "isal=$isal" --set isal-version=2.32.1)
	fi
	# The distribution's, older one.
	system=$(readlink -f "$({ ldconfig -p 2>/dev/null || true; } | awk '/libisal\.so\.2 /{print $NF; exit}')" || true)
	if [ -f "$system" ]; then
		extra+=(--set "isal-system=$system" --set "isal-system-version=2.${system##*libisal.so.2.0.}")
	else
		printf 'the distribution'"'"'s ISA-L is not installed (Debian: apt-get install libisal2)\n'
	fi
	"$BIN/bench-erasure" "${options[@]}" "${extra[@]}"
}

for name in "${names[@]}"; do
	printf '== %s\n' "$name"
	"bench_$name"
done
