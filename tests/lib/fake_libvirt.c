// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A libvirt.so.0 for tests: one domain of one vCPU whose pins live in a file, behind a daemon that
 * can fail.
 *
 * FAKE_PINS: that file, "VCPU EMULATOR" as bit masks. FAKE_FAIL: the code (libvirt/virterror.h)
 * that looking up the domain fails with; none: it is found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int code;
static char some;

static void pins(unsigned *vcpu, unsigned *emulator, int write)
{
	FILE *f = fopen(getenv("FAKE_PINS"), write ? "w" : "r");

	if (!f)
		return;
	if (write)
		fprintf(f, "%u %u\n", *vcpu, *emulator);
	else if (fscanf(f, "%u %u", vcpu, emulator) != 2)
		*vcpu = *emulator = 0;
	fclose(f);
}

void *virConnectOpen(const char *uri)
{
	return (void)uri, &some;
}
int virConnectClose(void *c)
{
	return (void)c, 0;
}
void virSetErrorFunc(void *data, void *fn)
{
	(void)data, (void)fn;
}
const char *virGetLastErrorMessage(void)
{
	return "the daemon does not answer";
}
int virGetLastErrorCode(void)
{
	return code;
}
void *virDomainLookupByName(void *c, const char *name)
{
	return (void)c, (void)name, &some;
}
void *virDomainLookupByUUIDString(void *c, const char *uuid)
{
	(void)c, (void)uuid;
	code = getenv("FAKE_FAIL") ? atoi(getenv("FAKE_FAIL")) : 0;
	return code ? NULL : &some;
}
int virDomainFree(void *d)
{
	return (void)d, 0;
}
int virDomainIsActive(void *d)
{
	return (void)d, 1;
}
unsigned virDomainGetID(void *d)
{
	return (void)d, 7;
}
int virDomainGetUUIDString(void *d, char *out)
{
	(void)d;
	strcpy(out, "01234567-89ab-cdef-0123-456789abcdef");
	return 0;
}
const char *virDomainGetName(void *d)
{
	return (void)d, "web";
}
int virDomainGetVcpusFlags(void *d, unsigned flags)
{
	return (void)d, (void)flags, 1;
}
int virDomainPinVcpuFlags(void *d, unsigned at, unsigned char *map, int len, unsigned flags)
{
	unsigned v, e;

	(void)d, (void)at, (void)len, (void)flags;
	pins(&v, &e, 0);
	v = map[0];
	pins(&v, &e, 1);
	return 0;
}
int virDomainGetVcpuPinInfo(void *d, int n, unsigned char *maps, int len, unsigned flags)
{
	unsigned v, e;

	(void)d, (void)n, (void)flags;
	pins(&v, &e, 0);
	memset(maps, 0, (size_t)len);
	maps[0] = (unsigned char)v;
	return 1;
}
int virDomainPinEmulator(void *d, unsigned char *map, int len, unsigned flags)
{
	unsigned v, e;

	(void)d, (void)len, (void)flags;
	pins(&v, &e, 0);
	e = map[0];
	pins(&v, &e, 1);
	return 0;
}
int virDomainGetEmulatorPinInfo(void *d, unsigned char *map, int len, unsigned flags)
{
	unsigned v, e;

	(void)d, (void)flags;
	pins(&v, &e, 0);
	memset(map, 0, (size_t)len);
	map[0] = (unsigned char)e;
	return 1;
}
int virDomainPinIOThread(void *d, unsigned id, unsigned char *map, int len, unsigned flags)
{
	return (void)d, (void)id, (void)map, (void)len, (void)flags, -1;
}
int virDomainGetIOThreadInfo(void *d, void ***list, unsigned flags)
{
	return (void)d, (void)flags, *list = NULL, 0;
}
void virDomainIOThreadInfoFree(void *i)
{
	(void)i;
}
int virDomainGetNumaParameters(void *d, void *list, int *n, unsigned flags)
{
	return (void)d, (void)list, (void)flags, *n = 0, 0;
}
int virDomainSetNumaParameters(void *d, void *list, int n, unsigned flags)
{
	return (void)d, (void)list, (void)n, (void)flags, -1;
}
