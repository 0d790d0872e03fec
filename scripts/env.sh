# Sourced by the other scripts: where things go and how cargo builds.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export ROOT

# A rustup install that the current shell does not know of yet.
case ":$PATH:" in
*":${CARGO_HOME:-${HOME:?}/.cargo}/bin:"*) ;;
*) PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH ;;
esac
export PATH

HIPPIUS_CACHE=${HIPPIUS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hippius}
export HIPPIUS_CACHE
# Outside of the checkout, so that a fresh clone does not build everything again.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HIPPIUS_CACHE/target}
# The system's OpenSSL instead of three minutes of C.
export OPENSSL_NO_VENDOR=1
# Incremental state only helps where sources are edited.
if [ -n "${CI:-}" ]; then export CARGO_INCREMENTAL=0; fi

# What setup.sh found out, e.g. the toolchain for the runtime's wasm.
if [ -r "$HIPPIUS_CACHE/env" ]; then
	# shellcheck disable=SC1091
	. "$HIPPIUS_CACHE/env"
fi
