#!/bin/bash
# attach.sh: its input and output are a connection of start.sh's service to the twins' server; on that comes "N MARK"
# first. Attaches the twin with bus id 1-N to port N-1 of vhci, without any tool: the kernel takes over a socket on which
# the import was answered. Linux, Documentation/usb/usbip_protocol.rst. /run/attached.MARK then says what went wrong, or
# nothing.
# Every program that is started costs a fifth of a second here, so bash does what it can.
read -r number mark
vhci=/sys/devices/platform/vhci_hcd.0
port=$((number - 1))
shopt -s nullglob
# Reads this port's line: its state, and the bus id of what is there.
look() {
  local hub number
  while read -r hub number state _ _ _ id; do
    [[ $hub == hs && $number == 000$port ]] && return
  done <$vhci/status
}
attach() {
  # vhci's port is free before the kernel has let go of what was on it; a twin with the same descriptors, attached in
  # between, would be taken for what was there, and not be set up anew.
  for ((i = 0; i < 200; i++)); do
    look
    old=(/sys/bus/usb/devices/*-"$number")
    [[ $state == 004 && ${#old[@]} == 0 ]] && break
    sleep 0.05
  done
  [[ $state == 004 && ${#old[@]} == 0 ]] || { echo "port $port of vhci is in use" && return 1; }
  {
    printf '\x01\x11\x80\x03\0\0\0\0%s' "1-$number"
    for ((i = 2 + ${#number}; i < 32; i++)); do printf '\0'; done
  } >&3
  # The answer: eight bytes, and the device in 312 unless it is refused.
  reply=$(od -An -v -tx1 -w320 -N320 <&3)
  reply=${reply// /}
  [[ $reply == 0111000300000000?* ]] || { echo "1-$number is not there" && return 1; }
  speed=$((16#${reply:608:8})) # after path[256], busid[32], busnum, devnum
  echo "$port 3 $((65536 + number)) $speed" >$vhci/attach || return 1
  # Used means that it has an address; its interfaces come with its configuration, and their nodes with udev.
  for ((i = 0; i < 400; i++)); do
    look
    here=/sys/bus/usb/devices/$id
    if [[ $state == 006 && -r $here/bNumInterfaces ]]; then
      interfaces=("$here":*)
      read -r count <"$here/bNumInterfaces"
      [[ ${#interfaces[@]} == "$count" ]] && udevadm settle --timeout=10 && return 0
    fi
    sleep 0.05
  done
  echo "1-$number was attached, and has no configuration after 20 s"
  return 1
}
exec 3>&0
attach >"/run/attaching.$mark" 2>&1
mv "/run/attaching.$mark" "/run/attached.$mark"
