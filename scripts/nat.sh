#!/usr/bin/env bash
# Two nodes behind NATs of their own, in network namespaces, find each other: through a relay first
# (the real arion-relay), then directly where the NATs let them. nat.sh [check..]
# Checks: cone (both NATs keep one port; the direct way is cut later and mended), hard (both give every
# destination a port of its own), reversed (the reader is public, the server behind a hard NAT).
# Needs root, ip, nft and a kernel with NAT; without them it says why and succeeds. Everything it makes
# is removed again.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

CHECKS=("$@")
[ ${#CHECKS[@]} -gt 0 ] || CHECKS=(cone hard reversed)
for check in "${CHECKS[@]}"; do
	case $check in
	cone | hard | reversed) ;;
	*)
		sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
		[ "$check" = --help ] || [ "$check" = -h ] || exit 2
		exit
		;;
	esac
done

skip() {
	printf 'nat: skipped: %s\n' "$*"
	exit 0
}
fail() {
	printf 'nat: FAILED: %s\n' "$*" >&2
	exit 1
}

PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" -eq 0 ] || skip 'network namespaces need root'
command -v ip >/dev/null || skip 'there is no ip (package iproute2)'
command -v nft >/dev/null || skip 'there is no nft (package nftables)'

# Names of this run's own.
RUN=nat$$
PUBLIC=$RUN-public
HOME_A=$RUN-a
ROUTER_A=$RUN-ra
HOME_B=$RUN-b
ROUTER_B=$RUN-rb
OPEN=$RUN-open
SPACES=("$PUBLIC" "$HOME_A" "$ROUTER_A" "$HOME_B" "$ROUTER_B" "$OPEN")
# The public segment: TEST-NET-2 (RFC 5737), with relay, observers, routers and one open machine.
RELAY_AT=198.51.100.1
OBSERVERS_AT=(198.51.100.2 198.51.100.3)
WAN_A=198.51.100.11
WAN_B=198.51.100.12
OPEN_AT=198.51.100.13

WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/nat.XXXXXX")
pids=()
reader_pid=
port=4000

# shellcheck disable=SC2317
clean_up() {
	local status=$? pid name
	trap - EXIT
	for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
	for pid in ${pids[@]+"${pids[@]}"}; do wait "$pid" 2>/dev/null || true; done
	for name in "${SPACES[@]}"; do
		if ip netns list 2>/dev/null | grep -qw -- "$name"; then ip netns delete "$name" || true; fi
	done
	if [ "$status" -eq 0 ]; then
		rm -rf "$WORK"
	else
		tail -n 20 "$WORK"/*.log >&2 2>/dev/null || true
		rm -rf "$WORK"
	fi
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

in_space() {
	local name=$1
	shift
	ip netns exec "$name" "$@"
}

# A link from a namespace's `dev` to a port of the public segment, with an address there.
plug() {
	local name=$1 dev=$2 port=$3 address=$4
	ip -n "$name" link add "$dev" type veth peer name "$port" netns "$PUBLIC"
	ip -n "$PUBLIC" link set "$port" master segment up
	ip -n "$name" address add "$address/24" dev "$dev"
	ip -n "$name" link set "$dev" up
}

# A home behind a router: home, router, network, the router's public address.
settle() {
	local home=$1 router=$2 network=$3 wan=$4
	plug "$router" wan "${router##*-}" "$wan"
	ip -n "$router" link add lan type veth peer name eth netns "$home"
	ip -n "$router" address add "$network.1/24" dev lan
	ip -n "$router" link set lan up
	ip -n "$home" address add "$network.2/24" dev eth
	ip -n "$home" link set eth up
	ip -n "$home" route add default via "$network.1"
	in_space "$router" sysctl -qw net.ipv4.ip_forward=1
}

# A router as homes have: nothing from outside that was not asked for. `masquerade` alone keeps the
# port where it can; with `random,fully-random` every destination sees another one.
translate() {
	in_space "$1" nft -f - <<-RULES
		flush ruleset
		table ip home {
			chain cut { }
			chain input {
				type filter hook input priority 0; policy drop;
				iifname lan accept
				ct state established,related accept
			}
			chain forward {
				type filter hook forward priority 0; policy drop;
				jump cut
				iifname lan accept
				ct state established,related accept
			}
			chain out {
				type nat hook postrouting priority 100;
				oifname wan masquerade $2
			}
		}
	RULES
}

# Starts a program in a namespace, in the background; its standard output goes to a file.
start() {
	local name=$1 log=$2
	shift 2
	: >"$WORK/$log.out"
	# Not by a function, so that the process is the program itself.
	ip netns exec "$name" "$@" >>"$WORK/$log.out" 2>"$WORK/$log.log" &
	pids+=($!)
}

# Waits until a program has said that it is ready.
ready() {
	local log=$1 line=
	if ! read -r -t 30 line < <(tail -n +1 -f "$WORK/$log.out" --pid=$$ 2>/dev/null); then
		fail "$log did not start"
	fi
	[[ $line == ok* ]] || fail "$log: $line"
	said=$line
}

# Asks the reader; its answer is in `said`.
ask() {
	printf '%s\n' "$*" >&"$to_reader"
	read -r -t 60 said <&"$from_reader" || fail "no answer to: $*"
	printf '  %-16s %s\n' "$*" "$said"
	[[ $said == ok* ]] || fail "$*: $said"
}

# The last answer says this.
says() {
	[[ " $said " == *" $1 "* ]] || fail "expected $1 in: $said"
}

value() {
	sed -n "s/.*\b$1[=:] *\([0-9]*\).*/\1/p" <<<"$said"
}

# Bytes that clients have sent the relay so far.
relayed_bytes() {
	in_space "$PUBLIC" bash -c '
		exec 3<>/dev/tcp/127.0.0.1/9340
		printf "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" >&3
		cat <&3' | sed -n 's/^relayserver_bytes_recv_total //p'
}

# A server in a namespace, and a reader in another that knows it by its relay alone.
meet() {
	local server=$1 reader=$2
	# Routers remember the ports of the check before.
	port=$((port + 1))
	start "$server" server "$PEER" serve 3 "0.0.0.0:$port" "http://$RELAY_AT:3340" "${observers[@]}"
	server_pid=${pids[-1]}
	ready server
	server_said=$said
	printf '  %-16s %s\n' server "$said"
	coproc READER {
		exec ip netns exec "$reader" "$PEER" read 4 "0.0.0.0:$port" \
			"http://$RELAY_AT:3340" "$("$PEER" key 3)" "${observers[@]}" 2>"$WORK/reader.log"
	}
	reader_pid=$!
	pids+=("$reader_pid")
	exec {from_reader}<&"${READER[0]}" {to_reader}>&"${READER[1]}"
	ask nat
}

part() {
	kill "$reader_pid" "$server_pid"
	exec {to_reader}>&- {from_reader}<&-
	wait "$server_pid" "$reader_pid" 2>/dev/null || true
}

# The bytes of 64 shards have not gone through the relay.
flows_directly() {
	local before after
	before=$(relayed_bytes)
	ask read 64
	says "path=$1"
	after=$(relayed_bytes)
	printf '  %-16s %s bytes\n' 'through relay' $((after - before))
	[ $((after - before)) -lt 100000 ] || fail 'the bytes went through the relay'
}

check_cone() {
	translate "$ROUTER_A" ''
	translate "$ROUTER_B" ''
	meet "$HOME_B" "$HOME_A"
	says nat=easy
	ask connect
	says path=relayed
	ask read 4
	ask await punched
	flows_directly punched
	# Cut in the middle of reads: none of them fails.
	ask start
	says path=punched
	in_space "$ROUTER_A" nft add rule ip home cut meta l4proto udp drop
	ask await relayed
	ask stop
	says failed=0
	says path=relayed
	ask read 4
	says path=relayed
	# And mended: found again.
	in_space "$ROUTER_A" nft flush chain ip home cut
	ask start
	ask await punched
	ask stop
	says failed=0
	flows_directly punched
	ask stats
	[ "$(value fallbacks)" -ge 1 ] || fail 'no fallback was counted'
	part
}

check_hard() {
	translate "$ROUTER_A" random,fully-random
	translate "$ROUTER_B" random,fully-random
	meet "$HOME_B" "$HOME_A"
	says nat=hard
	ask connect
	local before after
	before=$(relayed_bytes)
	ask read 8
	says path=relayed
	after=$(relayed_bytes)
	[ $((after - before)) -gt $((8 * 256 * 1024)) ] || fail 'the bytes did not go through the relay'
	ask stats
	[ "$(value hard)" -eq 1 ] || fail 'the reason was not counted'
	[ "$(value attempts)" -eq 1 ] || fail 'there was more than one attempt'
	part
}

check_reversed() {
	translate "$ROUTER_B" random,fully-random
	meet "$HOME_B" "$OPEN"
	says nat=none
	[[ $server_said == *nat=hard* ]] || fail "the server's NAT is not hard"
	ask connect
	says path=relayed
	ask await reversed
	flows_directly reversed
	part
}

ip netns add "$PUBLIC" 2>"$WORK/why.log" || skip "no network namespaces: $(<"$WORK/why.log")"
for name in "${SPACES[@]:1}"; do ip netns add "$name"; done
for name in "${SPACES[@]}"; do ip -n "$name" link set lo up; done
ip -n "$PUBLIC" link add segment type bridge 2>"$WORK/why.log" || skip "no bridges: $(<"$WORK/why.log")"
ip -n "$PUBLIC" link set segment up
for address in "$RELAY_AT" "${OBSERVERS_AT[@]}"; do
	ip -n "$PUBLIC" address add "$address/24" dev segment
done
settle "$HOME_A" "$ROUTER_A" 10.1.0 "$WAN_A"
settle "$HOME_B" "$ROUTER_B" 10.2.0 "$WAN_B"
plug "$OPEN" eth open "$OPEN_AT"
translate "$ROUTER_A" '' 2>"$WORK/why.log" || skip "no NAT in this kernel: $(head -n 1 "$WORK/why.log")"

# 20 ms each way, so that times mean something, where the kernel can.
if in_space "$ROUTER_A" tc qdisc add dev wan root netem delay 20ms 2>/dev/null; then
	in_space "$ROUTER_B" tc qdisc add dev wan root netem delay 20ms
	in_space "$OPEN" tc qdisc add dev eth root netem delay 20ms
	echo 'nat: links have a delay of 20 ms'
else
	echo 'nat: this kernel has no netem: links have no delay'
fi

if [ -z "${NAT_BIN:-}" ]; then
	# Of the whole workspace, so that it is built from the libraries its tests have built.
	(cd "$ROOT" && cargo build -q --locked --workspace --example nat_peer &&
		cargo build -q --locked --manifest-path crates/relay/Cargo.toml)
	NAT_BIN=$CARGO_TARGET_DIR/debug
fi
PEER=$NAT_BIN/examples/nat_peer
observers=()
allowed=()
for number in 1 2; do
	at=${OBSERVERS_AT[$((number - 1))]}
	start "$PUBLIC" "observer$number" "$PEER" serve "$number" "$at:4001"
	observers+=("$("$PEER" key "$number")@$at:4001")
done
for number in 3 4; do allowed+=(--allow "$("$PEER" key "$number")"); done
start "$PUBLIC" relay "$NAT_BIN/arion-relay" --listen "$RELAY_AT:3340" --allow-plain \
	--metrics 127.0.0.1:9340 "${allowed[@]}"
ready observer1
ready observer2

began=$SECONDS
for check in "${CHECKS[@]}"; do
	printf 'nat: %s\n' "$check"
	"check_$check"
done
printf 'nat: %d checks passed in %d s\n' ${#CHECKS[@]} $((SECONDS - began))
