#!/usr/bin/env bash
# Runs every test there is, or only the sections named: setup shell fmt clippy unit relay nat extras build up
# demo during-get during-put too-many damage twice nodes beats clients stories down audits. What CI runs is this.
set -uo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$ROOT" || exit 1

# Its own network, so that one a developer keeps up is left alone (its ports are not: README's
# commands, which are run here, name them).
WORK=$(mktemp -d)
export HIPPIUS_DEVNET_DIR=$WORK/devnet
DEVNET=$CARGO_TARGET_DIR/debug/hippius-devnet
export HIPPIUS_WS=ws://127.0.0.1:21909
FILE=$WORK/file.bin
FILE_BYTES=${FILE_BYTES:-33554433}

head -c "$FILE_BYTES" /dev/urandom >"$FILE"

passed=0
failed=0
chosen=("$@")
timings=()

wanted() {
	[ ${#chosen[@]} -eq 0 ] && return
	local name
	for name in "${chosen[@]}"; do [ "$name" = "$1" ] && return; done
	return 1
}

# Seconds a section may take: what hangs must fail by name, long before a whole run is given up.
limit_of() {
	case $1 in
	clippy | unit | build) echo 2700 ;;
	*) echo 900 ;;
	esac
}

# Ends a section's processes; a network it started detached is in sessions of its own and goes on.
running=
end_section() {
	[ -z "$running" ] || kill -"${1:-TERM}" -- "-$running" 2>/dev/null || true
}

# Runs a section in a shell of its own; a failure is counted and the rest goes on.
section() {
	local name=$1 began=$SECONDS status watchdog
	wanted "$name" || return 0
	printf '\n== %s\n' "$name"
	# Process groups of their own, so that all of one can be ended.
	set -m
	# Not as a condition, where bash would ignore `set -e`.
	(
		set -e
		"section_${name//-/_}"
	) &
	running=$!
	(
		sleep "$(limit_of "$name")"
		printf '== %s takes longer than %s s and is ended\n' "$name" "$(limit_of "$name")"
		end_section TERM
		sleep 10
		end_section KILL
	) &
	watchdog=$!
	set +m
	wait "$running"
	status=$?
	running=
	kill -- "-$watchdog" 2>/dev/null
	wait "$watchdog" 2>/dev/null
	if [ "$status" -eq 0 ]; then
		passed=$((passed + 1))
		timings+=("$(printf '%6d s  ok      %s' $((SECONDS - began)) "$name")")
	else
		failed=$((failed + 1))
		timings+=("$(printf '%6d s  FAILED  %s' $((SECONDS - began)) "$name")")
		printf '== %s FAILED\n' "$name"
	fi
}

finish() {
	trap - EXIT INT TERM
	end_section
	if [ -x "$DEVNET" ] && [ -d "$HIPPIUS_DEVNET_DIR" ]; then "$DEVNET" down >/dev/null; fi
	if [ "$failed" -eq 0 ]; then rm -rf "$WORK"; else printf '\nlogs: %s\n' "$WORK/devnet/logs"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

section_setup() { scripts/setup.sh --clients; }

section_shell() {
	local scripts
	mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)
	local script
	for script in "${scripts[@]}"; do bash -n "$script"; done
	if command -v shellcheck >/dev/null; then shellcheck -x "${scripts[@]}"; fi
	if command -v systemd-analyze >/dev/null; then
		# The program is not installed here; its options are a test of the miner's.
		sed 's#^ExecStart=.*#ExecStart=/bin/true#' packaging/arion-miner.service >"$WORK/arion-miner.service"
		systemd-analyze verify "$WORK/arion-miner.service"
	fi
}

section_fmt() {
	cargo fmt --all --check
	cargo fmt --manifest-path crates/relay/Cargo.toml --check
}

section_clippy() { cargo clippy --workspace --all-targets --locked -- -D warnings; }

section_unit() { cargo test --workspace --locked --no-fail-fast; }

# A workspace of its own: its server has other versions of much that the rest uses.
section_relay() {
	cargo clippy --manifest-path crates/relay/Cargo.toml --all-targets --locked -- -D warnings
	cargo test --manifest-path crates/relay/Cargo.toml --locked
}

# Nodes behind NATs in network namespaces; says so if this machine cannot.
section_nat() { scripts/nat.sh; }

# Workspaces of their own that nothing else builds.
section_extras() {
	# Without the node's executor, which takes longer than all the rest.
	cargo check --manifest-path benches/Cargo.toml --workspace --exclude bench-wasm --locked
	cargo check --manifest-path fuzz/Cargo.toml --locked
}

# With the tests, which these programs share their libraries' features with: without, cargo would build most of
# the SDK and the runtime again for a feature of tokio that only tests want.
section_build() {
	cargo build --workspace --locked --bins --tests
	cargo build --manifest-path crates/relay/Cargo.toml --locked
}

# Five miners are behind a relay. They die last, so every read needs them.
section_up() {
	"$DEVNET" up --detach --relayed-zone 0
	"$DEVNET" status
}

# Runs a demo that must succeed; checks the JSON as its reader would.
demo() {
	local out
	out=$("$DEVNET" demo --file "$FILE" --json "$@")
	tail -n1 <<<"$out" | tee "$WORK/report.json"
	report 'r.ok === true && r.sha256_in === r.sha256_out && r.sha256_in.length === 64'
	report "r.bytes === $FILE_BYTES && r.miners === 30 && r.stripes > 0 && r.error === undefined"
}

# Asserts on the last report, `r`.
report() {
	node -e 'const r = JSON.parse(require("fs").readFileSync(process.argv[1]));
		if (!eval(process.argv[2])) { console.error("not so:", process.argv[2]); process.exit(1); }' \
		"$WORK/report.json" "$1"
}

section_demo() {
	demo
	report 'r.killed === 20'
}

section_during_get() {
	demo --kill-during get
	report 'r.killed === 20'
}

section_during_put() {
	demo --kill-during put
	report 'r.killed === 20'
}

section_too_many() {
	local out
	if out=$("$DEVNET" demo --file "$FILE" --json --kill 21); then
		echo 'the file came back from 9 miners' >&2
		return 1
	fi
	tail -n1 <<<"$out" | tee "$WORK/report.json"
	report 'r.ok === false && r.killed === 21 && r.sha256_out === null'
	report '/stripe .*21 (are )?missing/.test(r.error)'
}

# Ten miners are left that are neither dead nor damaged.
section_damage() {
	demo --kill 5 --damage 15
	report 'r.killed === 5'
}

# Fresh keys each time: the same file is other shards, and so another id.
section_twice() {
	local first second
	export ARION_GATEWAY=http://127.0.0.1:21912 ARION_TOKEN_FILE=$HIPPIUS_DEVNET_DIR/gateway/http.token
	first=$("$CARGO_TARGET_DIR/debug/arion" put LICENSE --output json | jq -r .id)
	second=$("$CARGO_TARGET_DIR/debug/arion" put LICENSE --output json | jq -r .id)
	[ ${#first} -eq 64 ] && [ ${#second} -eq 64 ] && [ "$first" != "$second" ]
}

section_nodes() {
	demo --kill 5 --restart-node --kill-validator
	report 'r.killed === 5'
}

# Nothing is killed: the miner that is frozen must be the only one the chain misses.
section_beats() {
	demo --kill 0 --freeze-miner
	report 'r.killed === 0'
}

section_clients() (
	cd tests/clients
	npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	npm test --silent
)

section_stories() { scripts/stories.sh; }

section_down() {
	"$DEVNET" down
	if "$DEVNET" status >/dev/null 2>&1; then
		echo 'a network still runs' >&2
		return 1
	fi
	local left
	left=$(grep -lzx "HIPPIUS_DEVNET=$(realpath "$HIPPIUS_DEVNET_DIR")" /proc/[0-9]*/environ 2>/dev/null || true)
	if [ -n "$left" ]; then
		echo "processes left behind: $left" >&2
		return 1
	fi
}

# A network of its own, in which a zone can lose a miner; it ends with the section. Nothing here depends on
# luck: what draws do not find in time is challenged.
section_audits() {
	local out
	out=$("$DEVNET" demo --file "$FILE" --json --spare-zone 0 --audits)
	tail -n1 <<<"$out" | tee "$WORK/report.json"
	report 'r.ok === true && r.sha256_in === r.sha256_out && r.miners === 31 && r.killed === 21'
	report 'r.audits.honest_misses === 0 && r.audits.slow_misses === 0 && r.audits.outage === false'
	report 'r.audits.slow_samples > 0 && r.audits.lost[0] * 20 >= r.audits.lost[1]'
	report 'r.audits.caught > 0 && r.audits.scores[0] < r.audits.scores[1]'
	report 'r.audits.jailed < r.audits.evicted && r.audits.evicted < r.audits.repaired'
}

for name in setup shell fmt clippy unit relay nat extras build up demo during-get during-put too-many damage twice nodes beats clients stories down audits; do
	section "$name"
	# setup.sh may have found out more.
	if [ "$name" = setup ]; then
		# shellcheck source=scripts/env.sh
		. "$ROOT/scripts/env.sh"
	fi
done

printf '\n'
printf '%s\n' "${timings[@]}"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
