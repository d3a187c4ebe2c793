/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The initramfs, read back by hand-written newc code (cpio(5): "070701", then 13 fields of 8 hex
 * digits) and hashed by sha256sum. Modules are those of a made-up kernel, indexed by depmod. As
 * `initramfs build OUT AGENT FIO MODULES` it writes a real one, for tests that boot it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <signal.h>
#include <glob.h>
#include "base/file.h"
#include "disk/disk.h"
#include "guest/initramfs.h"

#define ELF "\177ELF"

struct fixture {
	char dir[64];
	char agent[128], fio[128], modules[160], out[128];
};

static void put(const struct fixture *f, const char *name, const char *content, size_t len)
{
	char *path = xasprintf("%s/%s", f->dir, name), *slash = strrchr(path, '/');

	*slash = 0;
	assert_int_equal(dir_make(path, 0755, NULL), 0);
	*slash = '/';
	assert_int_equal(file_write(path, content, len, 0644, NULL), 0);
	free(path);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/vbench-initramfs-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->agent, sizeof(f->agent), "%s/agent", f->dir);
	snprintf(f->fio, sizeof(f->fio), "%s/fio", f->dir);
	snprintf(f->modules, sizeof(f->modules), "%s/lib/modules/1.0", f->dir);
	snprintf(f->out, sizeof(f->out), "%s/out", f->dir);
	put(f, "agent", ELF "agent", 9);
	put(f, "fio", ELF "fio!", 8);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	dir_remove(f->dir, NULL);
	free(f);
	return 0;
}

/* --- a made-up kernel: objects with the sections that depmod reads --- */

/* Compiles C text into a module of this name; false where there is no compiler. */
static bool module_make(const struct fixture *f, const char *name, const char *text)
{
	char *source = xasprintf("lib/modules/1.0/kernel/%s.c", name);
	char *cmd = xasprintf("cd %s/kernel && ${CC:-cc} -c -o %s.ko %s.c", f->modules, name, name);
	bool ok;

	put(f, source, text, strlen(text));
	ok = !system(cmd);
	free(source);
	free(cmd);
	return ok;
}

static bool kernel_make(const struct fixture *f)
{
	char *cmd;
	bool ok;

	/*
	 * aa_top uses a symbol that zz_base exports (by a name in __ksymtab_strings): so depmod
	 * finds dependencies.
	 */
	ok = module_make(f, "virtio_pci", "int a;\n") &&
	     module_make(f, "virtio_console", "int b;\n") &&
	     module_make(f, "zz_base",
			 "int vb_sym = 1;\n"
			 "char s[] __attribute__((section(\"__ksymtab_strings\"))) "
			 "= \"vb_sym\";\n") &&
	     module_make(f, "aa_top", "extern int vb_sym;\nint *vb_use = &vb_sym;\n");
	if (!ok)
		return false;
	put(f, "lib/modules/1.0/modules.builtin", "kernel/fixed.ko\n", 16);
	put(f, "lib/modules/1.0/modules.builtin.modinfo", "fixed.license=GPL", 18);
	put(f, "lib/modules/1.0/modules.order", "", 0);
	cmd = xasprintf("PATH=$PATH:/sbin:/usr/sbin depmod -b %s 1.0 2>/dev/null", f->dir);
	ok = !system(cmd);
	free(cmd);
	return ok;
}

/* --- reading newc --- */

struct entry {
	char name[128];
	unsigned mode, uid, gid, mtime, rmajor, rminor;
	const char *data;
	size_t len;
};

static unsigned field(const char *header, int i)
{
	char hex[9] = {0};

	memcpy(hex, header + 6 + 8 * i, 8);
	return (unsigned)strtoul(hex, NULL, 16);
}

/* All entries before the trailer; how many. */
static size_t newc_read(const char *b, size_t len, struct entry *out, size_t max)
{
	size_t at = 0, n = 0;

	for (;; n++) {
		struct entry *e = &out[n];
		size_t name;

		assert_true(n < max && at + 110 < len);
		assert_memory_equal(b + at, "070701", 6);
		e->mode = field(b + at, 1);
		e->uid = field(b + at, 2);
		e->gid = field(b + at, 3);
		e->mtime = field(b + at, 5);
		e->len = field(b + at, 6);
		e->rmajor = field(b + at, 9);
		e->rminor = field(b + at, 10);
		name = field(b + at, 11);
		assert_true(name && name < sizeof(e->name) && at + 110 + name <= len);
		memcpy(e->name, b + at + 110, name);
		if (!strcmp(e->name, "TRAILER!!!"))
			return n;
		at = (at + 110 + name + 3) & ~(size_t)3;
		assert_true(at + e->len <= len);
		e->data = b + at;
		at = (at + e->len + 3) & ~(size_t)3;
	}
}

static const struct entry *find(const struct entry *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i].name, name))
			return &v[i];
	fail_msg("no %s in the archive", name);
	return NULL;
}

static void test_contents(void **state)
{
	static const char *const wanted[] = {"aa_top", "fixed", NULL};
	struct fixture *f = *state;
	struct initramfs_spec spec = {
		.agent = f->agent, .fio = f->fio, .modules = f->modules, .wanted = wanted};
	const struct entry *e;
	struct entry v[40];
	struct err err = {0};
	char hash[65], *b;
	size_t len, n;

	if (!kernel_make(f)) {
		print_message("# no compiler or depmod here\n");
		skip();
	}
	if (initramfs_build(&spec, f->out, hash, &err))
		fail_msg("%s", err.text);
	assert_int_equal(file_read(f->out, 1 << 20, &b, &len), 0);
	n = newc_read(b, len, v, 40);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(v[i].uid + v[i].gid + v[i].mtime, 0);
		if (i)
			assert_true(strcmp(v[i - 1].name, v[i].name) < 0);
	}
	e = find(v, n, "init");
	assert_int_equal(e->mode, S_IFREG | 0755);
	assert_int_equal(e->len, 9);
	assert_memory_equal(e->data, ELF "agent", 9);
	assert_int_equal(find(v, n, "bin/fio")->len, 8);
	e = find(v, n, "dev/console");
	assert_int_equal(e->mode, S_IFCHR | 0600);
	assert_int_equal(e->rmajor, 5);
	assert_int_equal(e->rminor, 1);
	assert_int_equal(find(v, n, "proc")->mode, S_IFDIR | 0755);
	/* The agent's own first, then what aa_top needs, then aa_top; what is built in not at all.
	 */
	e = find(v, n, "modules/order");
	assert_memory_equal(e->data,
			    "00-virtio_pci.ko\n01-virtio_console.ko\n02-zz_base.ko\n03-aa_top.ko\n",
			    e->len);
	assert_int_equal(e->len, 17 + 21 + 14 + 13);
	assert_memory_equal(find(v, n, "modules/03-aa_top.ko")->data, ELF, 4);
	free(b);
}

static void test_hash_and_same_bytes(void **state)
{
	static const char *const wanted[] = {"aa_top", NULL};
	struct fixture *f = *state;
	struct initramfs_spec spec = {
		.agent = f->agent, .fio = f->fio, .modules = f->modules, .wanted = wanted};
	char hash[65], again[65], *cmd, line[128] = "";
	FILE *p;

	if (!kernel_make(f)) {
		print_message("# no compiler or depmod here\n");
		skip();
	}
	assert_int_equal(initramfs_build(&spec, f->out, hash, NULL), 0);
	cmd = xasprintf("sha256sum %s", f->out);
	p = popen(cmd, "r");
	assert_non_null(fgets(line, sizeof(line), p));
	pclose(p);
	free(cmd);
	assert_int_equal(strlen(hash), 64);
	assert_memory_equal(line, hash, 64);
	assert_int_equal(initramfs_build(&spec, f->out, again, NULL), 0);
	assert_string_equal(hash, again);
	put(f, "agent", ELF "other", 9);
	assert_int_equal(initramfs_build(&spec, f->out, again, NULL), 0);
	assert_string_not_equal(hash, again);
}

static void test_compressed_module(void **state)
{
	static const char *const wanted[] = {"zz_base", NULL};
	struct fixture *f = *state;
	struct initramfs_spec spec = {
		.agent = f->agent, .fio = f->fio, .modules = f->modules, .wanted = wanted};
	char *cmd = xasprintf("cd %s/kernel && cp zz_base.ko ../plain && xz zz_base.ko && "
			      "PATH=$PATH:/sbin:/usr/sbin depmod -b %s 1.0 2>/dev/null",
			      f->modules, f->dir),
	     *plain = xasprintf("%s/plain", f->modules), *want, *b;
	size_t len, want_len, n;
	const struct entry *e;
	struct entry v[40];
	char hash[65];

	if (!kernel_make(f) || system(cmd) || file_read(plain, 1 << 20, &want, &want_len)) {
		print_message("# no compiler, depmod or xz here\n");
		skip();
	}
	assert_int_equal(initramfs_build(&spec, f->out, hash, NULL), 0);
	assert_int_equal(file_read(f->out, 1 << 20, &b, &len), 0);
	n = newc_read(b, len, v, 40);
	e = find(v, n, "modules/02-zz_base.ko");
	assert_int_equal(e->len, want_len);
	assert_memory_equal(e->data, want, want_len);
	free(b);
	free(want);
	free(plain);
	free(cmd);
}

/*
 * Into a full device: nothing is left, neither under the name (which is all that a journal knows)
 * nor beside it. And what a link of that name leads to is not written.
 */
static void test_no_other_file(void **state)
{
	static const char *const wanted[] = {NULL};
	struct fixture *f = *state;
	struct initramfs_spec spec = {
		.agent = f->agent, .fio = f->fio, .modules = f->modules, .wanted = wanted};
	char *other = xasprintf("%s/other", f->dir), hash[65], *b;
	struct stat st;
	size_t len;

	if (!kernel_make(f)) {
		print_message("# no compiler or depmod here\n");
		skip();
	}
	put(f, "other", "mine", 4);
	assert_int_equal(symlink(other, f->out), 0);
	assert_int_equal(initramfs_build(&spec, f->out, hash, NULL), 0);
	assert_int_equal(lstat(f->out, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(file_read(other, 100, &b, &len), 0);
	assert_int_equal(len, 4);
	free(b);
	/* a limit of the file's size stands for a full disk: EFBIG in mid-write */
	{
		struct rlimit old, small = {.rlim_cur = 100};
		struct err e = {0};
		glob_t g;

		unlink(f->out);
		getrlimit(RLIMIT_FSIZE, &old);
		small.rlim_max = old.rlim_max;
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		assert_int_equal(initramfs_build(&spec, f->out, hash, &e), -EFBIG);
		setrlimit(RLIMIT_FSIZE, &old);
		assert_non_null(strstr(e.text, f->out));
		free(other);
		other = xasprintf("%s*", f->out);
		assert_int_equal(glob(other, 0, NULL, &g), GLOB_NOMATCH);
	}
	free(other);
}

static void refused(const struct initramfs_spec *spec, const char *out, int rc, const char *word)
{
	struct err e = {0};
	char hash[65];

	assert_int_equal(initramfs_build(spec, out, hash, &e), rc);
	assert_non_null(strstr(e.text, word));
	assert_false(path_exists(out));
}

static void test_refusals(void **state)
{
	static const char *const wanted[] = {"no_such_module", NULL}, *const none[] = {NULL};
	struct fixture *f = *state;
	struct initramfs_spec spec = {
		.agent = f->agent, .fio = f->fio, .modules = f->modules, .wanted = none};

	refused(&spec, f->out, -ENOENT, "depmod");
	if (!kernel_make(f)) {
		print_message("# no compiler or depmod here\n");
		skip();
	}
	spec.wanted = wanted;
	refused(&spec, f->out, -ENOENT, "no_such_module");
	spec.wanted = none;
	spec.agent = "/nonexistent/agent";
	refused(&spec, f->out, -ENOENT, "/nonexistent/agent");
	put(f, "agent", "#!/bin/sh\n", 10);
	spec.agent = f->agent;
	refused(&spec, f->out, -ENOEXEC, "no program");
}

/* What a kernel lacks is left out if it need not be there; what it has comes, with its
 * dependencies. */
static void test_optional(void **state)
{
	static const char *const optional[] = {"no_such_module", "aa_top", NULL};
	static const char *const none[] = {NULL};
	struct fixture *f = *state;
	struct initramfs_spec spec = {.agent = f->agent,
				      .fio = f->fio,
				      .modules = f->modules,
				      .wanted = none,
				      .optional = optional};
	char hash[65], *text;
	size_t len;

	if (!kernel_make(f)) {
		print_message("# no compiler or depmod here\n");
		skip();
	}
	assert_int_equal(initramfs_build(&spec, f->out, hash, NULL), 0);
	assert_int_equal(file_read(f->out, 1 << 24, &text, &len), 0);
	assert_non_null(memmem(text, len, "-zz_base.ko\n", 12));
	assert_non_null(memmem(text, len, "-aa_top.ko\n", 11));
	assert_null(memmem(text, len, "no_such_module", 14));
	free(text);
}

static int build_one(char **argv)
{
	static const char *const none[] = {NULL};
	struct initramfs_spec spec = {.agent = argv[3],
				      .fio = argv[4],
				      .modules = argv[5],
				      .wanted = none,
				      .optional = disk_guest_modules};
	struct err e = {0};
	char hash[65];

	if (initramfs_build(&spec, argv[2], hash, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_contents, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash_and_same_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compressed_module, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_other_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_optional, setup, teardown),
	};

	if (argc == 6 && !strcmp(argv[1], "build"))
		return build_one(argv);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
