#!/bin/bash
# Runs one script that comes base64 on one line; see start.sh.
export LAB=$(dirname "$0")
script=$(mktemp)
IFS= read -r line
base64 -d <<<"$line" >"$script"
bash "$script" </dev/null 2>&1
printf '\n[exit %d]' $?
