#!/usr/bin/env bash
# Makes this machine able to build and test: system packages, the runtime's wasm target and, with
# --clients, what the other tests and README's commands need (Node.js, jq, curl, nft, ip). Safe to run at any
# time; silent when nothing is missing.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
# shellcheck source=scripts/lib/debian.sh
. "$ROOT/scripts/lib/debian.sh"

MIN_RUST=1.95
MIN_NODE=18

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
	printf 'setup: error: %s\n' "$*" >&2
	exit 1
}

check_rust() {
	if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
		die 'there is no Rust here: install the stable toolchain from https://rustup.rs, then run this again'
	fi
	local version
	version=$(cd "$ROOT" && rustc --version | cut -d' ' -f2)
	[ "$(printf '%s\n' "$MIN_RUST" "$version" | sort -V | head -n1)" = "$MIN_RUST" ] ||
		die "Rust $version is older than $MIN_RUST: run \`rustup update stable\`"
}

check_packages() {
	local missing=()
	command -v cc >/dev/null || missing+=(build-essential)
	command -v protoc >/dev/null || missing+=(protobuf-compiler)
	command -v pkg-config >/dev/null || missing+=(pkg-config)
	command -v clang >/dev/null || missing+=(clang)
	# The node's offchain worker refuses to start its HTTP client without root certificates.
	[ -s /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
	if ! command -v pkg-config >/dev/null || ! pkg-config --exists openssl; then missing+=(libssl-dev); fi
	[ ${#missing[@]} -eq 0 ] || debian_install "${missing[@]}"
}

wasm_target_present() {
	local sysroot
	sysroot=$(cd "$ROOT" && rustc --print sysroot) || return 1
	compgen -G "$sysroot/lib/rustlib/wasm32v1-none/lib/libcore-*.rlib" >/dev/null
}

check_wasm() {
	if wasm_target_present; then
		remember WASM_BUILD_TOOLCHAIN ''
		return
	fi
	if [ -n "${WASM_BUILD_TOOLCHAIN:-}" ] && debian_wasm_ready; then return; fi
	if command -v rustup >/dev/null; then
		say 'adding the target wasm32v1-none'
		if (cd "$ROOT" && timeout 300 rustup target add wasm32v1-none >&2) && wasm_target_present; then
			remember WASM_BUILD_TOOLCHAIN ''
			return
		fi
		say "rustup's server cannot be reached; taking the target from Debian's packages instead"
	fi
	debian_wasm_build
	remember WASM_BUILD_TOOLCHAIN "$DEBIAN_WASM"
}

# Keeps a variable for the other scripts; an empty value removes it.
remember() {
	local file=$HIPPIUS_CACHE/env line=''
	if [ -n "$2" ]; then line="export $1=$2"; fi
	if [ -z "$line" ] && [ ! -e "$file" ]; then return; fi
	if [ -n "$line" ] && grep -qxF "$line" "$file" 2>/dev/null; then return; fi
	mkdir -p "$HIPPIUS_CACHE"
	{
		grep -v "^export $1=" "$file" 2>/dev/null || true
		if [ -n "$line" ]; then echo "$line"; fi
	} >"$file.new"
	mv "$file.new" "$file"
}

check_clients() {
	local major=0
	if command -v node >/dev/null; then major=$(node -p 'process.versions.node.split(".")[0]'); fi
	local missing=()
	command -v jq >/dev/null || missing+=(jq)
	command -v curl >/dev/null || missing+=(curl)
	# For scripts/nat.sh; as root its folder is in the path.
	PATH=$PATH:/usr/sbin:/sbin command -v nft >/dev/null || missing+=(nftables)
	PATH=$PATH:/usr/sbin:/sbin command -v ip >/dev/null || missing+=(iproute2)
	[ "$major" -ge "$MIN_NODE" ] || missing+=(nodejs)
	command -v npm >/dev/null || missing+=(npm)
	[ ${#missing[@]} -eq 0 ] && return
	debian_install "${missing[@]}"
	major=$(node -p 'process.versions.node.split(".")[0]')
	[ "$major" -ge "$MIN_NODE" ] || die "Node.js $major is older than $MIN_NODE: install a newer one"
}

clients=no
for argument in "$@"; do
	case $argument in
	--clients) clients=yes ;;
	-h | --help)
		sed -n '2,4s/^# //p' "$0"
		exit
		;;
	*) die "unknown argument $argument; known: --clients" ;;
	esac
done
check_rust
check_packages
check_wasm
if [ "$clients" = yes ]; then check_clients; fi
