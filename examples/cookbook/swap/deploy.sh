#!/bin/sh
# deploy.sh PROGRAM starts a new version beside the one that runs, and then ends that one.
set -eu
old=blue new=green
if systemctl is-active --quiet app@green; then
	old=green new=blue
fi
install -m 755 "$1" /usr/local/bin/app-$new
systemctl start app@$new # returns when it is ready, or fails
systemctl enable --quiet app@$new
systemctl disable --quiet app@$old
systemctl stop app@$old
