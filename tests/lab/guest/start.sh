#!/bin/bash
# The guest's services. Whoever connects to port 7000 sends a script (see run.sh), and gets what it prints and its exit
# code. Whoever connects to port 3240 is the twins' server (see attach.sh); nodelay: the kernel's usbip sends a short
# packet behind another. They end with the machine.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
here=$(dirname "$0")
cd /root || exit 1
hostname lab
/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add --subsystem-match=usb && udevadm settle --timeout=10
socat TCP-LISTEN:3240,bind=10.0.2.15,fork,reuseaddr,nodelay EXEC:"/bin/bash $here/attach.sh",nofork &
echo 'lab: ready' >/dev/console
socat TCP-LISTEN:7000,bind=10.0.2.15,fork,reuseaddr EXEC:"/bin/bash $here/run.sh",pipes
echo o >/proc/sysrq-trigger
