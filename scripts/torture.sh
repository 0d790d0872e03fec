#!/usr/bin/env bash
# Breaks the shard store in every way this machine allows and checks that nothing acknowledged is
# lost and no wrong byte is served: torture.sh store [cycles] [part..]
# Parts: kill (cycles of kill -9 under load, 1000 by default), syscalls (each write, sync, allocation
# and rename fails, or is where the process dies; needs strace), power (a loop-mounted file system is
# shut down under load; needs root and loop devices). A part that cannot run says why and is skipped.
# TORTURE_SEED (printed) repeats a run, TORTURE_SECONDS bounds the kill cycles (1200 by default),
# TORTURE_ROUNDS is the number of power cuts for each file system (5 by default).
set -uo pipefail

SCRIPT=${BASH_SOURCE[0]}
if [ "${1:-}" != store ]; then
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$SCRIPT"
	[ "${1:-}" = --help ] || [ "${1:-}" = -h ]
	exit
fi
shift
# shellcheck source=scripts/env.sh
. "$(dirname "$SCRIPT")/env.sh"
CYCLES=1000
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
	CYCLES=$1
	shift
fi
PARTS=("$@")
[ ${#PARTS[@]} -gt 0 ] || PARTS=(kill syscalls power)
SEED=${TORTURE_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
LIMIT=${TORTURE_SECONDS:-1200}
ROUNDS=${TORTURE_ROUNDS:-5}
RANDOM=$((SEED % 32768))

if [ -n "${TORTURE_BIN:-}" ]; then
	BIN=$TORTURE_BIN
else
	(cd "$ROOT" && cargo build --locked --release -p arion-shard-store --example store_torture) || exit 1
	BIN=$CARGO_TARGET_DIR/release/examples/store_torture
fi
WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/torture.XXXXXX")
MOUNT=$WORK/mount
failed=0
summary=()

# shellcheck disable=SC2317
clean_up() {
	if mountpoint -q "$MOUNT" 2>/dev/null; then umount "$MOUNT" 2>/dev/null || umount -l "$MOUNT"; fi
	if [ "$failed" -eq 0 ]; then rm -rf "$WORK"; else echo "left for a look: $WORK"; fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

note() {
	echo "$1"
	summary+=("$1")
}

part_kill() {
	if "$BIN" loop "$WORK/kill" "$CYCLES" "$SEED" "$LIMIT" | tee "$WORK/kill.log"; then
		summary+=("$(tail -n 1 "$WORK/kill.log")")
	else
		failed=1
		note "kill -9: FAILED, seed $SEED"
	fi
}

# One run with a fault; whatever the process said it had done must be there afterwards.
injected() {
	local call=$1 what=$2 when=$3 folder=$WORK/inject
	rm -rf "$folder"
	# In a shell of its own, whose word about a killed process nobody needs.
	(
		strace -f -qq -o /dev/null -e "inject=$call:$what:when=$when" \
			"$BIN" work "$folder" 0 >"$WORK/acked" 2>"$WORK/refused"
		true
	) 2>/dev/null
	if ! "$BIN" check "$folder" "$WORK/acked" >"$WORK/checked" 2>&1; then
		echo "$call:$what:when=$when: $(cat "$WORK/checked")"
		mv "$folder" "$WORK/failed-$call-$when" 2>/dev/null
		return 1
	fi
}

part_syscalls() {
	if ! command -v strace >/dev/null; then
		note 'system calls: skipped, strace is not installed'
		return
	fi
	local calls=pwritev,fdatasync,fsync,fallocate,rename,unlink,pread64
	if ! strace -f -qq -o "$WORK/trace" -e "trace=$calls" "$BIN" work "$WORK/plain" 0 >/dev/null 2>&1; then
		note 'system calls: skipped, strace may not trace here'
		return
	fi
	local call what count step when runs=0 bad=0
	for what in pwritev:error=EIO pwritev:error=ENOSPC pwritev:signal=KILL fdatasync:error=EIO \
		fdatasync:signal=KILL fsync:error=EIO fsync:signal=KILL fallocate:error=ENOSPC \
		fallocate:signal=KILL rename:error=EIO rename:signal=KILL unlink:error=EIO unlink:signal=KILL \
		pread64:error=EIO; do
		call=${what%%:*}
		# strace counts for each thread by itself.
		count=$(awk -v call="$call" 'index($2, call "(") == 1 {n[$1]++; if (n[$1] > m) m = n[$1]} END {print m + 0}' "$WORK/trace")
		step=1
		[ "$call" = pread64 ] && step=$((count / 40 + 1))
		for ((when = 1; when <= count; when += step)); do
			injected "$call" "${what#*:}" "$when" || bad=$((bad + 1))
			runs=$((runs + 1))
		done
		echo "  $what: $count places"
	done
	[ "$bad" -eq 0 ] || failed=1
	note "system calls: $runs runs with a fault each, $bad with a shard lost or wrong"
}

# Everything that the file system has not written is gone, as in a power cut.
shut_down() {
	if command -v xfs_io >/dev/null; then
		xfs_io -x -c 'shutdown' "$MOUNT"
	else
		# FS_IOC_SHUTDOWN of xfs and ext4; 2 = without flushing the log.
		python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))' "$MOUNT"
	fi
}

power_round() {
	local image=$1 round=$2 child status=0
	mount -o loop "$image" "$MOUNT" || return 2
	"$BIN" child "$MOUNT/store" $((round * 100000)) >"$WORK/acked.new" 2>/dev/null &
	child=$!
	sleep "$((RANDOM % 2)).$((RANDOM % 900 + 100))"
	shut_down || status=2
	kill -9 "$child" 2>/dev/null
	wait "$child" 2>/dev/null
	umount "$MOUNT" || return 2
	[ "$status" -eq 0 ] || return "$status"
	# Each round has its own numbers, so what earlier rounds were promised still counts.
	cat "$WORK/acked.new" >>"$WORK/acked.$(basename "$image")"
	mount -o loop "$image" "$MOUNT" || return 2
	"$BIN" check "$MOUNT/store" "$WORK/acked.$(basename "$image")" || status=1
	umount "$MOUNT"
	return "$status"
}

part_power() {
	if [ "$(id -u)" -ne 0 ]; then
		note 'power cuts: skipped, mounting needs root'
		return
	fi
	if ! command -v xfs_io >/dev/null && ! command -v python3 >/dev/null; then
		note 'power cuts: skipped, neither xfs_io nor python3 is installed'
		return
	fi
	mkdir -p "$MOUNT"
	local fs image round status
	for fs in ext4 xfs; do
		if ! command -v "mkfs.$fs" >/dev/null; then
			note "power cuts on $fs: skipped, mkfs.$fs is not installed"
			continue
		fi
		image=$WORK/$fs.img
		truncate -s 768M "$image"
		if ! "mkfs.$fs" -q "$image" >"$WORK/mkfs.log" 2>&1; then
			note "power cuts on $fs: skipped, no file system can be made: $(tail -n 1 "$WORK/mkfs.log")"
			continue
		fi
		for ((round = 0; round < ROUNDS; round++)); do
			power_round "$image" "$round"
			status=$?
			[ "$status" -eq 0 ] || break
		done
		case $status in
		0) note "power cuts on $fs: $ROUNDS file system shutdowns under load, nothing acknowledged lost, nothing wrong" ;;
		2) note "power cuts on $fs: skipped, this machine does not let a loop mount be shut down" ;;
		*)
			failed=1
			note "power cuts on $fs: FAILED in round $round, seed $SEED"
			;;
		esac
	done
}

echo "seed $SEED"
for part in "${PARTS[@]}"; do
	case $part in
	kill) part_kill ;;
	syscalls) part_syscalls ;;
	power) part_power ;;
	*)
		echo "no part $part; there are kill, syscalls, power" >&2
		exit 2
		;;
	esac
done
printf '\nsummary\n'
printf '  %s\n' "${summary[@]}"
exit "$failed"
