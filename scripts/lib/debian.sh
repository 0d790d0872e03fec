# What comes from Debian or Ubuntu packages. Sourced by setup.sh.
# shellcheck shell=bash

# Name of the toolchain made below, as rustup knows it.
DEBIAN_WASM=debian-wasm

debian_install() {
	command -v apt-get >/dev/null ||
		die "these packages are missing and this is no Debian or Ubuntu: install the equivalents of: $*"
	local as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null ||
			die "as root, run: apt-get update && apt-get install -y --no-install-recommends $*"
		as_root=(sudo)
	fi
	say "installing with apt-get: $*"
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq install -y --no-install-recommends "$@" >&2
}

debian_wasm_folder() { printf '%s/%s' "$HIPPIUS_CACHE" "$DEBIAN_WASM"; }

debian_wasm_ready() {
	compgen -G "$(debian_wasm_folder)/lib/rustlib/wasm32v1-none/lib/libcore-*.rlib" >/dev/null &&
		rustup toolchain list 2>/dev/null | grep -q "^$DEBIAN_WASM\b"
}

# A toolchain of Debian's compiler and a core library for wasm32v1-none built from Debian's
# sources: what `rustup target add` would have brought.
debian_wasm_build() {
	command -v rustup >/dev/null ||
		die 'the runtime needs the target wasm32v1-none: install Rust from https://rustup.rs'
	debian_wasm_ready && return
	debian_install rustc-web cargo-web rust-web-src lld
	local folder host core
	folder=$(debian_wasm_folder)
	host=$(/usr/bin/rustc --version --verbose | sed -n 's/^host: //p')
	core=$(mktemp -d)
	rm -rf "$folder"
	mkdir -p "$folder/bin" "$folder/lib/rustlib/$host/bin" "$folder/lib/rustlib/wasm32v1-none/lib"
	ln -s /usr/bin/cargo "$folder/bin/cargo"
	# shellcheck disable=SC2016
	printf '#!/bin/sh\nexec /usr/bin/rustc --sysroot "%s" "$@"\n' "$folder" >"$folder/bin/rustc"
	chmod +x "$folder/bin/rustc"
	local part
	for part in etc src; do
		if [ -e "/usr/lib/rustlib/$part" ]; then ln -s "/usr/lib/rustlib/$part" "$folder/lib/rustlib/$part"; fi
	done
	ln -s "/usr/lib/rustlib/$host/lib" "$folder/lib/rustlib/$host/lib"
	ln -s "$(command -v lld)" "$folder/lib/rustlib/$host/bin/rust-lld"

	say 'building the core library for wasm32v1-none'
	mkdir -p "$core/src"
	printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n' >"$core/Cargo.toml"
	printf '#![no_std]\n' >"$core/src/lib.rs"
	# The wasm is linked with thin LTO, which reads the libraries' bitcode.
	(
		cd "$core" || exit
		env -u RUSTC_WRAPPER RUSTC_BOOTSTRAP=1 RUSTC="$folder/bin/rustc" CARGO_TARGET_DIR="$core/target" \
			RUSTFLAGS='-C embed-bitcode=yes' \
			/usr/bin/cargo build --release --target wasm32v1-none -Z build-std=core,alloc,compiler_builtins >&2
	)
	local library
	for library in core alloc compiler_builtins; do
		cp "$core"/target/wasm32v1-none/release/deps/lib"$library"-*.rlib "$folder/lib/rustlib/wasm32v1-none/lib/"
	done
	rm -rf "$core"
	rustup toolchain link "$DEBIAN_WASM" "$folder" >&2
	debian_wasm_ready || die "the toolchain in $folder is not complete"
}
