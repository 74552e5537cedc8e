#!/bin/sh
# need.sh PROGRAM:PACKAGE ... makes sure that the programs are there: on Debian,
# root has their packages installed; everybody else is told what is missing.
set -eu
programs= packages=
for p; do
	command -v "${p%:*}" >/dev/null && continue
	programs="$programs ${p%:*}" packages="$packages ${p#*:}"
done
[ -n "$packages" ] || exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
	apt-get update -q
	exec apt-get install -qy $packages
fi
echo "These programs are missing:$programs. On Debian: sudo apt-get install$packages" >&2
exit 1
