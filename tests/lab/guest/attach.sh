#!/bin/bash
# attach.sh N: attaches the twin with bus id 1-N to port N-1 of vhci, without any tool: the kernel takes over a
# socket on which the import was answered. Linux, Documentation/usb/usbip_protocol.rst.
# Every program that is started costs a fifth of a second here, so bash does what it can.
vhci=/sys/devices/platform/vhci_hcd.0
port=$(($1 - 1))
shopt -s nullglob
# Reads this port's line: its state, and the bus id of what is there.
look() {
  local hub number
  while read -r hub number state _ _ _ id; do
    [[ $hub == hs && $number == 000$port ]] && return
  done <$vhci/status
}
# vhci's port is free before the kernel has let go of what was on it; a twin with the same descriptors, attached in
# between, would be taken for what was there, and not be set up anew.
for ((i = 0; i < 200; i++)); do
  look
  old=(/sys/bus/usb/devices/*-"$1")
  [[ $state == 004 && ${#old[@]} == 0 ]] && break
  sleep 0.05
done
[[ $state == 004 && ${#old[@]} == 0 ]] || { echo "port $port of vhci is in use" && exit 1; }
exec {socket}<>/dev/tcp/10.0.2.100/3240 || exit 1
{
  printf '\x01\x11\x80\x03\0\0\0\0%s' "1-$1"
  for ((i = 2 + ${#1}; i < 32; i++)); do printf '\0'; done
} >&$socket
# The answer: eight bytes, and the device in 312 unless it is refused.
reply=$(od -An -v -tx1 -w320 -N320 <&$socket)
reply=${reply// /}
[[ $reply == 0111000300000000?* ]] || { echo "1-$1 is not there" && exit 1; }
speed=$((16#${reply:608:8})) # after path[256], busid[32], busnum, devnum
echo "$port $socket $((65536 + $1)) $speed" >$vhci/attach || exit 1
# Used means that it has an address; its interfaces come with its configuration, and their nodes with udev.
for ((i = 0; i < 400; i++)); do
  look
  here=/sys/bus/usb/devices/$id
  if [[ $state == 006 && -r $here/bNumInterfaces ]]; then
    interfaces=("$here":*)
    read -r count <"$here/bNumInterfaces"
    [[ ${#interfaces[@]} == "$count" ]] && udevadm settle --timeout=10 && exit 0
  fi
  sleep 0.05
done
echo "1-$1 was attached, and has no configuration after 20 s"
exit 1
