#!/bin/bash
# Runs one script that comes on one line, base64 after the seconds that it may take; see start.sh.
export LAB=${0%/*}
script=/tmp/lab-script.$$
IFS=' ' read -r seconds line
base64 -d <<<"$line" >$script
timeout -k 5 "$seconds" bash $script </dev/null 2>&1
printf '\n[exit %d]' $?
