#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Lays out the guest's kernel below GUEST: vmlinuz, modules/lib/modules/VERSION, KERNEL. It comes from
# Debian's package, downloaded and unpacked, never installed: the machine's boot menu stays as it is.
# full: the kernel for real machines, which has the drivers of AHCI that the one for clouds lacks.
set -eu

kind=${2:-cloud}
if [ $# -lt 1 ] || [ $# -gt 2 ] || { [ "$kind" != cloud ] && [ "$kind" != full ]; }; then
	echo "usage: [GUEST_KERNEL=PACKAGE] $0 GUEST [cloud|full]" >&2
	exit 2
fi
mkdir -p "$1"
guest=$(cd "$1" && pwd)
arch=$(dpkg --print-architecture)
case $kind in
full) meta=linux-image-$arch ;;
*) meta=linux-image-cloud-$arch ;;
esac
meta=${GUEST_KERNEL:-$meta}
PATH=$PATH:/usr/sbin:/sbin

# The meta package depends on the newest one with a version in its name.
real=$(apt-cache depends --important "$meta" 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
if [ -z "$real" ] && apt-cache show "$meta" >/dev/null 2>&1; then
	real=$meta
fi
if [ -z "$real" ]; then
	echo "vbench: the guest's kernel cannot be had: apt does not know $meta; run apt-get update, or name a package: make guest GUEST_KERNEL=PACKAGE" >&2
	exit 1
fi

rm -rf "$guest/root" "$guest/deb"
mkdir -p "$guest/root" "$guest/deb"
# apt lets its own user write here, which may not be able to enter the checkout; then it tells, and goes on.
if ! (cd "$guest/deb" && apt-get download -q -o "APT::Sandbox::User=$(id -un)" "$real") >"$guest/kernel.log" 2>&1; then
	tail -n 3 "$guest/kernel.log" >&2
	echo "vbench: the guest's kernel cannot be had: apt-get download $real failed; try again after apt-get update" >&2
	exit 1
fi
dpkg-deb -x "$guest"/deb/*.deb "$guest/root"

vmlinuz=$(ls "$guest"/root/boot/vmlinu[xz]-* 2>/dev/null | head -n 1)
if [ -z "$vmlinuz" ]; then
	echo "vbench: $real holds no kernel under boot/" >&2
	exit 1
fi
version=${vmlinuz##*/vmlinu?-}
tree=$guest/modules.new/lib/modules/$version
rm -rf "$guest/modules.new"
mkdir -p "${tree%/*}"
if [ -d "$guest/root/usr/lib/modules/$version" ]; then
	mv "$guest/root/usr/lib/modules/$version" "$tree"
else
	mv "$guest/root/lib/modules/$version" "$tree"
fi
# What no disk test can want: networks, sound, screens and the like; 3/4 of the bytes.
for d in net drivers/net drivers/gpu drivers/media drivers/infiniband drivers/usb drivers/hid \
	drivers/iio drivers/staging drivers/bluetooth drivers/isdn sound; do
	rm -rf "$tree/kernel/$d"
done
# Links to a headers package that is not there.
rm -f "$tree/build" "$tree/source"
depmod -b "$guest/modules.new" "$version"
cp "$vmlinuz" "$guest/vmlinuz.new"
chmod 644 "$guest/vmlinuz.new"
rm -rf "$guest/modules" "$guest/KERNEL"
mv "$guest/modules.new" "$guest/modules"
mv "$guest/vmlinuz.new" "$guest/vmlinuz"
rm -rf "$guest/root" "$guest/deb"
# Last: it says that all the rest is there.
echo "$version" >"$guest/KERNEL.new"
mv "$guest/KERNEL.new" "$guest/KERNEL"
