#!/usr/bin/env bash
# Runs README.md's user stories as they stand there, against the network of `devnet.sh up`: every
# `sh` block that follows a line `<!-- ci: NAME -->`. All blocks of one name run in one shell, in an
# empty home; what they leave in the background is ended.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

blocks() {
	awk -v name="$1" '
		$0 == "<!-- ci: " name " -->" { armed = 1; next }
		armed && /^```sh$/ { inside = 1; armed = 0; next }
		inside && /^```$/ { inside = 0; next }
		inside { print }
		armed && NF { armed = 0 }
	' "$ROOT/README.md"
}

if [ $# -eq 0 ]; then
	mapfile -t names < <(sed -n 's/^<!-- ci: \(.*\) -->$/\1/p' "$ROOT/README.md" | awk '!seen[$0]++')
	set -- "${names[@]}"
fi
export npm_config_cache=${npm_config_cache:-$HOME/.npm}
for name in "$@"; do
	script=$(blocks "$name")
	[ -n "$script" ] || {
		echo "stories: README.md has no block <!-- ci: $name -->" >&2
		exit 1
	}
	home=$(mktemp -d)
	echo "-- story: $name"
	status=0
	(
		# Jobs in groups of their own, each ended by its pid.
		export HOME=$home PATH=$CARGO_TARGET_DIR/debug:$PATH
		cd "$ROOT"
		bash -euo pipefail -c "trap 'code=\$?; kill \$(jobs -p) 2>/dev/null || true; wait; exit \$code' EXIT
set -x
$script"
	) >"$home/log" 2>&1 || status=$?
	grep -v '^20' "$home/log" | tail -n 60 || true
	if [ "$status" -ne 0 ]; then
		echo "stories: $name failed ($status); its log: $home/log" >&2
		exit 1
	fi
	rm -rf "$home"
done
