#!/usr/bin/env bash
# Builds ISA-L's erasure code, release 2.32.1, as a library for the benches: usage isal.sh FOLDER. The
# sources are those that the Python package `isal` carries. Prints the library's path, or on standard
# error why there is none.
set -euo pipefail

VERSION=2.32.1
PACKAGE=isal==1.9.1
SHA256=d210dca02a689ef2af709d2c62d2daac2e36b5d2fa06e6dc0d023c83fee77e91

folder=${1:?usage: isal.sh FOLDER}
library=$folder/libisal-$VERSION.so
if [ -s "$library" ]; then
	printf '%s\n' "$library"
	exit
fi

refuse() {
	printf 'ISA-L %s: %s\n' "$VERSION" "$1" >&2
	exit 1
}

[ "$(uname -sm)" = "Linux x86_64" ] || refuse "built for Linux on x86-64 only"
for tool in nasm gcc python3; do
	command -v "$tool" >/dev/null || refuse "$tool is not installed"
done
python3 -m pip --version >/dev/null 2>&1 || refuse "Python's pip is not installed"

mkdir -p "$folder"
work=$(mktemp -d "$folder/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
log=$folder/build.log
# Without compiling the package itself.
python3 -m pip download --quiet --no-binary isal --no-deps --dest "$work" "$PACKAGE" >"$log" 2>&1 ||
	refuse "pip cannot download $PACKAGE, see $log"
archive=$work/isal-1.9.1.tar.gz
printf '%s  %s\n' "$SHA256" "$archive" | sha256sum --check --quiet >>"$log" 2>&1 ||
	refuse "the archive is not the expected one, see $log"
tar -xzf "$archive" -C "$work"
sources=$work/isal-1.9.1/src/isal/isa-l

objects=()
for source in "$sources"/erasure_code/*.asm; do
	object=$work/$(basename "$source" .asm).o
	nasm -f elf64 -I "$sources/include/" -I "$sources/erasure_code/" -o "$object" "$source" >>"$log" 2>&1 ||
		refuse "nasm cannot assemble $(basename "$source"), see $log"
	objects+=("$object")
done
gcc -O2 -w -fPIC -shared -I "$sources/include" -I "$sources/erasure_code" -o "$work/libisal.so" \
	"$sources/erasure_code/ec_base.c" "$sources/erasure_code/ec_highlevel_func.c" "${objects[@]}" \
	>>"$log" 2>&1 || refuse "gcc cannot build it, see $log"
mv "$work/libisal.so" "$library"
printf '%s\n' "$library"
