#!/usr/bin/env bash
# Runs the fuzz targets: scripts/fuzz.sh [seconds] [target..]; 600 seconds and all of them by default.
# Prints a line for each target; fails if one crashed. FUZZ_JOBS targets run at a time (default: one
# per core), each with at most FUZZ_RSS_MB of memory (default 2048). Needs nightly and cargo-fuzz,
# see fuzz/README.md.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SECONDS_EACH=600
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
	SECONDS_EACH=$1
	shift
fi
JOBS=${FUZZ_JOBS:-$(nproc)}
RSS=${FUZZ_RSS_MB:-2048}
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/fuzz/target}
TRIPLE=$(rustc +nightly -vV | sed -n 's/^host: //p')
export OPENSSL_NO_VENDOR=1

cd "$ROOT/fuzz" || exit 1
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
	echo "cargo-fuzz is missing: cargo +nightly install cargo-fuzz --locked" >&2
	exit 1
fi
known=$(cargo +nightly fuzz list) || exit 1
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
	mapfile -t targets <<<"$known"
fi
for target in "${targets[@]}"; do
	if ! grep -qx -- "$target" <<<"$known"; then
		echo "no target $target; there are: ${known//$'\n'/ }" >&2
		exit 2
	fi
done

cargo +nightly fuzz build --target-dir "$TARGET_DIR" || exit 1

# Runs one target and prints its line. libFuzzer's own output goes to artifacts/TARGET/log.
fuzz() {
	local target=$1 out=artifacts/$1 executions coverage crashes status=0
	mkdir -p "corpus/$target" "$out"
	rm -f "$out"/{crash,oom,timeout,leak,slow-unit}-*
	if ! FUZZ_SEEDS=corpus/$target "$TARGET_DIR/$TRIPLE/release/$target" >"$out/log" 2>&1; then
		echo "$target could not make the inputs it starts from, see fuzz/$out/log"
		return 1
	fi
	"$TARGET_DIR/$TRIPLE/release/$target" "corpus/$target" \
		-max_total_time="$SECONDS_EACH" -rss_limit_mb="$RSS" -timeout=20 \
		-artifact_prefix="$out/" -print_final_stats=1 >"$out/log" 2>&1 || status=$?
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/log")
	coverage=$(grep -o 'cov: [0-9]*' "$out/log" | tail -1)
	crashes=$(find "$out" -name 'crash-*' -o -name 'oom-*' -o -name 'timeout-*' -o -name 'leak-*' | wc -l)
	printf '%-16s %12s executions  %-12s %s crashes\n' \
		"$target" "${executions:-0}" "${coverage:-cov: 0}" "$crashes"
	if [ "$status" -ne 0 ] || [ "$crashes" -ne 0 ]; then
		printf '%-16s exit code %s, see fuzz/%s\n' "$target" "$status" "$out/log"
		return 1
	fi
}

failed=0
running=0
for target in "${targets[@]}"; do
	if [ "$running" -ge "$JOBS" ]; then
		wait -n || failed=1
		running=$((running - 1))
	fi
	fuzz "$target" &
	running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
	wait -n || failed=1
	running=$((running - 1))
done
exit "$failed"
