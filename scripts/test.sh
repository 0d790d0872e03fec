#!/usr/bin/env bash
# Runs every test there is, or only the sections named: setup shell fmt unit relay nat build clippy extras up
# demo during-get during-put too-many damage twice nodes beats audits fresh clients stories down economy. What CI
# runs is this.
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

chosen=("$@")
# A line per section that is over: its status, its seconds, its name.
RESULTS=$WORK/results
: >"$RESULTS"

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

# Ends a section's processes; a network it started detached is in groups of its own and goes on.
running=
end_section() {
	[ -z "$running" ] || kill -"${1:-TERM}" -- "-$running" 2>/dev/null || true
}

# Runs a section in a shell of its own; a failure is counted and the rest goes on.
section() {
	local name=$1 began=$SECONDS status watchdog
	wanted "$name" || return 0
	printf '\n== %s\n' "$name"
	REPORT=$WORK/$name.json
	# Process groups of their own, so that all of one can be ended.
	set -m
	# Not as a condition, where bash would ignore `set -e`.
	(
		set -e
		"section_${name//-/_}"
	) &
	running=$!
	# Timers, not waits: both end with the section, which kills them.
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
	[ "$status" -eq 0 ] || printf '== %s FAILED\n' "$name"
	echo "$status $((SECONDS - began)) $name" >>"$RESULTS"
}

# Runs sections beside those that follow; what they print comes when `join_lanes` has waited for them.
lanes=()
beside() {
	local lane=$WORK/lane-${#lanes[@]}.log
	(
		trap - EXIT
		trap 'end_section; exit 130' INT TERM
		local name
		for name in "$@"; do section "$name"; done
	) >"$lane" 2>&1 &
	lanes+=("$!:$lane")
}

join_lanes() {
	local lane
	for lane in ${lanes[@]+"${lanes[@]}"}; do
		wait "${lane%%:*}"
		cat "${lane#*:}"
	done
	lanes=()
}

finish() {
	local lane
	trap - EXIT INT TERM
	end_section
	for lane in ${lanes[@]+"${lanes[@]}"}; do kill "${lane%%:*}" 2>/dev/null; done
	if [ -x "$DEVNET" ] && [ -d "$HIPPIUS_DEVNET_DIR" ]; then "$DEVNET" down >/dev/null; fi
	if grep -q '^[^0]' "$RESULTS"; then printf '\nlogs: %s\n' "$WORK"; else rm -rf "$WORK"; fi
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

# Lints and checks run beside networks, which leave most of the machine idle; those come first.
lowest_priority() { renice -n 19 -p "$BASHPID" >/dev/null; }

section_clippy() {
	lowest_priority
	cargo clippy --workspace --all-targets --locked -- -D warnings
}

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
	lowest_priority
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
	tail -n1 <<<"$out" | tee "$REPORT"
	report 'r.ok === true && r.sha256_in === r.sha256_out && r.sha256_in.length === 64'
	report "r.bytes === $FILE_BYTES && r.miners === 30 && r.stripes > 0 && r.error === undefined"
}

# Asserts on the last report, `r`.
report() {
	node -e 'const r = JSON.parse(require("fs").readFileSync(process.argv[1]));
		if (!eval(process.argv[2])) { console.error("not so:", process.argv[2]); process.exit(1); }' \
		"$REPORT" "$1"
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
	tail -n1 <<<"$out" | tee "$REPORT"
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

# Clients and stories get a network of which nobody was killed: a miner that was away long enough is thrown out,
# and then its zone may be too small for a new map.
section_fresh() {
	if "$DEVNET" status >/dev/null 2>&1; then "$DEVNET" down; fi
	"$DEVNET" up --detach
}

section_clients() (
	cd tests/clients
	npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	# With our own tools.
	PATH="$CARGO_TARGET_DIR/debug:$PATH" npm test --silent
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

# A network of its own, in which a zone can lose a miner; it ends with the section, and has other ports than
# the one beside it. Nothing here depends on luck: what draws do not find in time is challenged.
section_audits() {
	local out
	export HIPPIUS_DEVNET_DIR=$WORK/audits
	out=$("$DEVNET" demo --file "$FILE" --json --base-port 22100 --spare-zone 0 --audits)
	tail -n1 <<<"$out" | tee "$REPORT"
	report 'r.ok === true && r.sha256_in === r.sha256_out && r.miners === 31 && r.killed === 21'
	report 'r.audits.honest_misses === 0 && r.audits.slow_misses === 0 && r.audits.outage === false'
	report 'r.audits.slow_samples > 0 && r.audits.lost[0] * 20 >= r.audits.lost[1]'
	report 'r.audits.caught > 0 && r.audits.scores[0] < r.audits.scores[1]'
	report 'r.audits.jailed < r.audits.evicted && r.audits.evicted < r.audits.repaired'
}

# What is stored is paid for: over some eras of 20 blocks. A network of its own as well: it has prices.
section_economy() {
	local out
	export HIPPIUS_DEVNET_DIR=$WORK/economy
	out=$("$DEVNET" demo --file "$FILE" --json --base-port 22100 --economy)
	tail -n1 <<<"$out" | tee "$REPORT"
	report 'r.ok === true && r.sha256_in === r.sha256_out && r.faults.length === 0'
	report 'r.conserved === true && r.split_exact === true && r.out.refunds === 0'
	report 'r.in === r.pots.miners + r.pots.validators + r.pots.treasury + r.pots.held'
	report 'r.unpaid === r.pots.miners + r.pots.validators + r.pots.treasury
		- r.out.miners - r.out.validators - r.out.nominators - r.out.treasury'
	report 'r.client.bytes > 0 && r.client.eras >= 3 && r.eras_paid >= 1 && r.payees.every((count) => count > 0)'
}

checks=(clippy extras)
harms=(up demo during-get during-put too-many damage twice nodes beats)
uses=(fresh clients stories down)

section setup
# setup.sh may have found out more.
# shellcheck source=scripts/env.sh
. "$ROOT/scripts/env.sh"
for name in shell fmt unit relay nat build; do section "$name"; done
if [ ${#chosen[@]} -eq 0 ]; then
	beside "${checks[@]}"
	for name in "${harms[@]}"; do section "$name"; done
	section down
	join_lanes
	# Alone: it judges who answers in time.
	section audits
	beside economy
	for name in "${uses[@]}"; do section "$name"; done
	join_lanes
else
	for name in "${checks[@]}" "${harms[@]}" audits "${uses[@]}" economy; do section "$name"; done
fi

printf '\n'
while read -r status seconds name; do
	printf '%6d s  %-6s  %s\n' "$seconds" "$([ "$status" -eq 0 ] && echo ok || echo FAILED)" "$name"
done <"$RESULTS"
failed=$(grep -c '^[^0]' "$RESULTS")
printf '%d passed, %d failed\n' "$(grep -c '^0 ' "$RESULTS")" "$failed"
[ "$failed" -eq 0 ]
