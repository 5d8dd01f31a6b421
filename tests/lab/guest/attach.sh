#!/bin/bash
# attach.sh N: attaches the twin with bus id 1-N to port N-1 of vhci, without any tool: the kernel takes over a
# socket on which the import was answered. Linux, Documentation/usb/usbip_protocol.rst.
vhci=/sys/devices/platform/vhci_hcd.0
port=$(($1 - 1))
for ((i = 0; i < 200; i++)); do
  grep -q "^hs *000$port 004" $vhci/status && break
  sleep 0.05
done
grep -q "^hs *000$port 004" $vhci/status || { echo "port $port of vhci is in use" && exit 1; }
exec {socket}<>/dev/tcp/10.0.2.100/3240 || exit 1
{
  printf '\x01\x11\x80\x03\0\0\0\0%s' "1-$1"
  head -c $((32 - 2 - ${#1})) /dev/zero
} >&$socket
read_hex() { dd bs="$1" count=1 iflag=fullblock <&$socket 2>/dev/null | od -An -v -tx1 | tr -d ' \n'; }
[ "$(read_hex 8)" = 0111000300000000 ] || { echo "1-$1 is not there" && exit 1; }
device=$(read_hex 312)
speed=$((16#${device:592:8})) # after path[256], busid[32], busnum, devnum
echo "$port $socket $((65536 + $1)) $speed" >$vhci/attach || exit 1
# Used means that it has an address; its interfaces come with its configuration, and their nodes with udev.
for ((i = 0; i < 400; i++)); do
  fields=($(grep "^hs *000$port " $vhci/status)) # hub, port, state, speed, device, socket, bus id
  here=/sys/bus/usb/devices/${fields[6]}
  if [ "${fields[2]}" = 006 ] && [ "$(ls -d "$here":* 2>/dev/null | wc -l)" = "$(tr -d ' ' 2>/dev/null <"$here/bNumInterfaces")" ]; then
    udevadm settle --timeout=10 && exit 0
  fi
  sleep 0.05
done
echo "1-$1 was attached, and has no configuration after 20 s"
exit 1
