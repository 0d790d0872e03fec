#!/usr/bin/env bash
# A whole local network: sets up, builds what is missing, starts it.
# Without an argument: stores a file, kills 20 of 30 miners, fetches the file, stays up.
# `devnet.sh --help` shows the commands.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

caller=$PWD
began=$(date +%s%N)
"$ROOT/scripts/setup.sh"
# setup.sh may have just found out more.
# shellcheck source=scripts/env.sh
. "$ROOT/scripts/env.sh"
# Not on standard output, which belongs to the story or the JSON.
(cd "$ROOT" && cargo build --workspace --locked --bins) >&2
# The relay is a workspace of its own, and only wanted with some miners behind it.
case " $*" in
*" --relayed-zone"*)
	(cd "$ROOT" && cargo build --manifest-path crates/relay/Cargo.toml --locked) >&2
	;;
esac
ended=$(date +%s%N)

cd "$caller"
exec "$CARGO_TARGET_DIR/debug/hippius-devnet" \
	--build-seconds "$(((ended - began) / 1000000000)).$(printf %03d $(((ended - began) / 1000000 % 1000)))" "$@"
