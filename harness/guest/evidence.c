// SPDX-License-Identifier: GPL-2.0-or-later
/* The transports of asked/got: QMP, /proc/PID of QEMU, FIEMAP. Queries that disturb a measurement
 * are not made. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "guest/evidence.h"
#include "guest/pin.h"

static const char *const plain_queries[] = {
	"query-version",
	"query-kvm",
	"query-block",
	"query-named-block-nodes",
	"query-iothreads",
	"query-cpus-fast",
	"query-memory-size-summary",
	"query-migrate",
};

/* "pc-q35-7.2-machine" -> "pc-q35-7.2". */
static json_t *without_suffix(json_t *s, const char *suffix)
{
	const char *t = json_string_value(s);
	size_t n = t ? strlen(t) : 0, k = strlen(suffix);
	json_t *r;

	if (!t || n <= k || strcmp(t + n - k, suffix))
		return s;
	r = json_stringn(t, n - k);
	json_decref(s);
	return r;
}

json_t *evidence_qmp(struct vm *v, const struct disk_plan *p, struct err *e)
{
	json_t *out = json_object(), *r;
	const char *cpu0;
	size_t i;

	for (i = 0; i < sizeof(plain_queries) / sizeof(*plain_queries); i++) {
		if (vm_qmp(v, plain_queries[i], NULL, &r, VM_ANSWER_MS, e)) {
			json_decref(out);
			return NULL;
		}
		json_object_set_new(out, plain_queries[i], r);
	}
	json_object_set_new(out, "machine",
			    without_suffix(evidence_qom(v, "/machine", "type"), "-machine"));
	cpu0 = json_string_value(json_object_get(
		json_array_get(json_object_get(out, "query-cpus-fast"), 0), "qom-path"));
	json_object_set_new(out, "cpu", cpu0 ? evidence_qom(v, cpu0, "type") : json_null());
	/* a machine without PCI refuses it */
	if (vm_qmp(v, "query-pci", NULL, &r, VM_ANSWER_MS, NULL))
		r = json_null();
	json_object_set_new(out, "query-pci", r);
	json_object_set_new(out, "device", evidence_device(v, p));
	json_object_set_new(out, "throttle", evidence_throttle(v, p));
	json_object_set_new(out, "queue", evidence_queue(v, p));
	if (p->vhost)
		json_object_set_new(out, "vhost_queue", evidence_vhost_queue(v, p));
	return out;
}

/* A field "NAME:\tVALUE" of a /proc file; false if it is not there. */
static bool proc_field(const char *text, const char *name, int base, long long *out)
{
	const char *p = text;
	size_t n = strlen(name);

	while (p) {
		if (!strncmp(p, name, n) && p[n] == ':') {
			*out = strtoll(p + n + 1, NULL, base);
			return true;
		}
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	return false;
}

/* The image, or what lies beside it under its name: layers ("IMAGE.0"), a data file ("IMAGE.data").
 */
static bool of_image(const char *link, const char *image)
{
	size_t n = image ? strlen(image) : 0;

	return n && !strncmp(link, image, n) && (!link[n] || link[n] == '.');
}

/* One fd of QEMU: is it the image, or an io_uring? */
static void evidence_fd(pid_t pid, const char *fd, const char *image, json_t *images,
			json_t *urings)
{
	char path[128], link[4096], *info;
	long long value;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%.20s", (int)pid, fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return;
	link[n] = 0;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.20s", (int)pid, fd);
	if (of_image(link, image)) {
		if (file_read(path, 65536, &info, NULL))
			return;
		if (proc_field(info, "flags", 10, &value))
			json_array_append_new(images, json_pack("{s:i, s:I}", "fd", atoi(fd),
								"flags", (json_int_t)value));
		free(info);
	} else if (!strcmp(link, "anon_inode:[io_uring]")) {
		if (file_read(path, 1u << 20, &info, NULL))
			return;
		if (proc_field(info, "SqTail", 0, &value))
			json_array_append_new(urings, json_pack("{s:i, s:I}", "fd", atoi(fd),
								"sq_tail", (json_int_t)value));
		free(info);
	}
}

static int count_workers(pid_t pid)
{
	char path[64], comm[64];
	struct dirent *d;
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		char *p;

		if (d->d_name[0] == '.')
			continue;
		p = xasprintf("/proc/%d/task/%s/comm", (int)pid, d->d_name);
		/* without -name debug-threads=on every thread has the program's name; then this
		 * stays 0 */
		if (!file_line(p, comm, sizeof(comm)) && !strcmp(comm, "worker"))
			n++;
		free(p);
	}
	if (dir)
		closedir(dir);
	return n;
}

/* Rings of Linux's native AIO that the process has set up: each is a mapping named /[aio]. */
static json_t *aio_rings(pid_t pid)
{
	char path[64], *text, *p;
	json_int_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	if (file_read(path, 4u << 20, &text, NULL))
		return json_null();
	for (p = text; (p = strstr(p, "/[aio]")); p++)
		n++;
	free(text);
	return json_integer(n);
}

json_t *evidence_process(pid_t pid, const char *image)
{
	json_t *out = json_object(), *images = json_array(), *urings = json_array();
	char path[64], exe[4096], real[4096], *text;
	struct dirent *d;
	long long value;
	uint64_t aio;
	ssize_t n;
	DIR *dir;

	if (image && realpath(image, real))
		image = real;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.')
			evidence_fd(pid, d->d_name, image, images, urings);
	if (dir)
		closedir(dir);
	json_object_set(out, "image_fds", dir ? images : json_null());
	json_object_set(out, "uring", dir ? urings : json_null());
	json_decref(images);
	json_decref(urings);
	json_object_set_new(out, "aio_nr",
			    file_u64("/proc/sys/fs/aio-nr", &aio) ? json_null()
								  : json_integer((json_int_t)aio));
	json_object_set_new(out, "aio_rings", aio_rings(pid));
	json_object_set_new(out, "workers", json_integer(count_workers(pid)));
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	json_object_set_new(out, "program", n > 0 ? json_stringn(exe, (size_t)n) : json_null());
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (!file_read(path, 65536, &text, NULL)) {
		if (proc_field(text, "Seccomp", 10, &value))
			json_object_set_new(out, "seccomp", json_integer(value));
		if (proc_field(text, "Uid", 10, &value))
			json_object_set_new(out, "uid", json_integer(value));
		free(text);
	}
	return out;
}

uint64_t evidence_rss(pid_t pid)
{
	char path[64], *text;
	long long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read(path, 65536, &text, NULL))
		return 0;
	if (!proc_field(text, "VmRSS", 10, &kib) || kib < 0)
		kib = 0;
	free(text);
	return (uint64_t)kib << 10;
}

json_t *evidence_host(const struct vm *v, const struct vm_threads *t, const char *image)
{
	json_t *out = evidence_process(v->child.pid, image);
	struct vm_cpu cpu;

	json_object_set(out, "qemu", json_object_get(out, "program"));
	json_object_del(out, "program");
	vm_cpu(v, t, &cpu);
	json_object_set_new(out, "cpu_ns",
			    json_pack("{s:I, s:I, s:I}", "vcpu", (json_int_t)cpu.vcpu, "iothread",
				      (json_int_t)cpu.iothread, "rest", (json_int_t)cpu.rest));
	json_object_set_new(out, "affinity", pin_evidence(v->child.pid, t));
	json_object_set_new(out, "memory", pin_memory(v->child.pid));
	return out;
}

/* The device with that id on a bus or, through bridges, below it. */
static const json_t *pci_find(const json_t *devices, const char *id, int depth)
{
	for (size_t i = 0; depth && i < json_array_size(devices); i++) {
		const json_t *d = json_array_get(devices, i), *found;
		const char *name = json_string_value(json_object_get(d, "qdev_id"));

		if (name && !strcmp(name, id))
			return d;
		found = pci_find(json_object_get(json_object_get(d, "pci_bridge"), "devices"), id,
				 depth - 1);
		if (found)
			return found;
	}
	return NULL;
}

int evidence_pci(struct vm *v, const char *device_id, char out[32], struct err *e)
{
	const json_t *d = NULL;
	json_t *buses = NULL;
	int rc = vm_qmp(v, "query-pci", NULL, &buses, VM_ANSWER_MS, e);

	if (rc)
		return rc;
	for (size_t i = 0; !d && i < json_array_size(buses); i++)
		d = pci_find(json_object_get(json_array_get(buses, i), "devices"), device_id, 8);
	if (d)
		snprintf(out, 32, "0000:%02x:%02x.%x",
			 (unsigned)json_integer_value(json_object_get(d, "bus")) & 0xff,
			 (unsigned)json_integer_value(json_object_get(d, "slot")) & 0x1f,
			 (unsigned)json_integer_value(json_object_get(d, "function")) & 7);
	json_decref(buses);
	if (d)
		return 0;
	v->cause = CAUSE_QEMU;
	return err_set(e, -ENOENT, "query-pci does not list %s", device_id);
}

/* Extents of a file; the `unwritten` flag is the only sign that tells falloc from full. */
static void image_extents(int fd, json_t *out)
{
	enum { BATCH = 512 };
	struct fiemap *fm = xcalloc(1, sizeof(*fm) + BATCH * sizeof(struct fiemap_extent));
	json_int_t n = 0, unwritten = 0, mapped_bytes = 0, unwritten_bytes = 0;
	uint64_t start = 0;
	bool last = false;
	int rounds = 4096;

	while (!last && rounds--) {
		unsigned i;

		memset(fm, 0, sizeof(*fm));
		fm->fm_start = start;
		fm->fm_length = ~0ull - start;
		fm->fm_flags = FIEMAP_FLAG_SYNC;
		fm->fm_extent_count = BATCH;
		if (ioctl(fd, FS_IOC_FIEMAP, fm)) {
			free(fm);
			return;
		}
		if (!fm->fm_mapped_extents)
			break;
		for (i = 0; i < fm->fm_mapped_extents; i++) {
			const struct fiemap_extent *x = &fm->fm_extents[i];

			n++;
			if (x->fe_flags & FIEMAP_EXTENT_UNWRITTEN) {
				unwritten++;
				unwritten_bytes += (json_int_t)x->fe_length;
			} else {
				mapped_bytes += (json_int_t)x->fe_length;
			}
			start = x->fe_logical + x->fe_length;
			last = x->fe_flags & FIEMAP_EXTENT_LAST;
		}
	}
	free(fm);
	json_object_set_new(out, "extents", json_integer(n));
	json_object_set_new(out, "unwritten", json_integer(unwritten));
	json_object_set_new(out, "mapped_bytes", json_integer(mapped_bytes));
	json_object_set_new(out, "unwritten_bytes", json_integer(unwritten_bytes));
}

json_t *evidence_image(const char *image, const char *qemu_img, const struct child_user *user)
{
	const char *argv[] = {qemu_img, "info", "-U", "--output=json", image, NULL};
	json_t *out, *info = NULL;
	struct stat st;
	char *text;
	int fd;

	if (!image)
		return json_null();
	fd = open(image, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		if (fd >= 0)
			close(fd);
		return json_null();
	}
	out = json_pack("{s:I, s:I, s:n, s:n, s:n, s:n}", "size", (json_int_t)st.st_size,
			"allocated", (json_int_t)st.st_blocks * 512, "extents", "unwritten",
			"mapped_bytes", "unwritten_bytes");
	image_extents(fd, out);
	close(fd);
	if (!child_run(argv, user, 20000, &text, NULL)) {
		info = json_loads(text, 0, NULL);
		free(text);
	}
	json_object_set_new(out, "info", info ? info : json_null());
	return out;
}
