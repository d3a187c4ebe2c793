/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles: what is read, and what is refused with which place and remedy. Expected values are
 * those of the key table's design. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "profile/profile.h"

#define WORKLOAD "[workload w]\nrw = randread\n"

static struct profile *good_with(const char *text, const char *const *sets, size_t n)
{
	struct profile *p = NULL;
	struct err e = {0};

	if (profile_parse(text, strlen(text), "t.ini", sets, n, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	return p;
}

static struct profile *good(const char *text)
{
	return good_with(text, NULL, 0);
}

/* Refused, in one line that begins with start and holds part. */
static void bad_bytes(const char *text, size_t len, const char *const *sets, size_t n,
		      const char *start, const char *part)
{
	struct profile *p = NULL;
	struct err e = {0};
	int rc = profile_parse(text, len, "t.ini", sets, n, &p, &e);

	if (rc != -EINVAL || strncmp(e.text, start, strlen(start)) || !strstr(e.text, part))
		print_error("got: %s\nwant: %s ... %s\n", e.text, start, part);
	assert_int_equal(rc, -EINVAL);
	assert_int_equal(e.status, VB_BAD_INPUT);
	assert_int_equal(strncmp(e.text, start, strlen(start)), 0);
	assert_non_null(strstr(e.text, part));
	assert_null(strchr(e.text, '\n'));
	assert_null(p);
}

static void bad(const char *text, const char *start, const char *part)
{
	bad_bytes(text, strlen(text), NULL, 0, start, part);
}

static void defaults_stand(void **state)
{
	struct profile *p = good(WORKLOAD);
	const struct cell *c = &p->cells[0];

	(void)state;
	assert_int_equal(p->ncells, 1);
	assert_string_equal(p->name, "t");
	assert_string_equal(c->label, "default");
	assert_string_equal(cell_get(c, K_BUS), "virtio-blk");
	assert_string_equal(cell_get(c, K_RING), "split");
	assert_string_equal(cell_get(c, K_FORMAT), "raw");
	assert_null(cell_get(c, K_MODE));    /* raw */
	assert_null(cell_get(c, K_LATENCY)); /* a file */
	assert_null(cell_get(c, K_BS));	     /* of another section */
	assert_int_equal(cell_u64(c, K_SIZE), 1024 * 1024 * 1024);
	assert_int_equal(cell_u64(c, K_MEMORY), 256 * 1024 * 1024);
	assert_int_equal(cell_u64(c, K_QUEUE_SIZE), 256);
	assert_int_equal(cell_u64(c, K_VCPUS), 2);
	assert_true(cell_on(c, K_IOTHREAD));
	assert_true(cell_on(c, K_SANDBOX));
	assert_int_equal(workload_u64(&p->workloads[0], K_BS), 4096);
	assert_int_equal(workload_u64(&p->workloads[0], K_RUNTIME), 700000000);
	assert_int_equal(workload_u64(&p->workloads[0], K_RAMP), 300000000);
	assert_int_equal(workload_u64(&p->workloads[0], K_WSIZE), 0);
	assert_string_equal(workload_get(&p->workloads[0], K_WSIZE), "all");
	assert_int_equal(profile_u64(p, K_BLOCKS), 6);
	assert_string_equal(profile_get(p, K_SEED), "random");
	assert_false(profile_on(p, K_STRICT));
	assert_null(profile_get(p, K_TITLE));
	profile_free(p);
}

static void every_row_of_the_table_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < K_COUNT; i++) {
		const struct key_row *row = &profile_keys[i];

		assert_int_equal(row->id, i);
		assert_non_null(row->name);
		assert_non_null(row->help);
		assert_true((row->type == KT_ENUM) == (row->values != NULL));
		/* only cells have axes, and only they can lose a value */
		if (row->axis || row->applies || row->conflict)
			assert_true(section_of_cells(row->section));
		if (section_of_cells(row->section) || row->section == SEC_WORKLOAD)
			assert_non_null(row->def);
	}
}

static void units_bools_and_aliases_are_canonical(void **state)
{
	struct profile *p =
		good("[disk]\nformat = qcow2\nmode = prealloc\nsize = 64M\niothread = no\n"
		     "[guest]\nmemory = 1g\nsandbox = 0\n"
		     "[workload a]\nbs = 8k\nruntime = 1.5s\nramp = 0\nrate = 10M\n"
		     "[workload b]\nrate = 500iops\n");
	const struct cell *c = &p->cells[0];

	(void)state;
	assert_string_equal(cell_get(c, K_MODE), "full");
	assert_string_equal(cell_get(c, K_SIZE), "67108864");
	assert_string_equal(cell_get(c, K_IOTHREAD), "off");
	assert_string_equal(cell_get(c, K_MEMORY), "1073741824");
	assert_string_equal(cell_get(c, K_SANDBOX), "off");
	assert_string_equal(workload_get(&p->workloads[0], K_BS), "8192");
	assert_string_equal(workload_get(&p->workloads[0], K_RUNTIME), "1500000000");
	assert_string_equal(workload_get(&p->workloads[0], K_RAMP), "0");
	assert_string_equal(workload_get(&p->workloads[1], K_RATE), "500iops");
	profile_free(p);
}

static void prose_may_hold_commas_and_umlauts(void **state)
{
	struct profile *p = good(
		"\xef\xbb\xbf[profile]\r\ntitle = Ringe, \xc3\xa4hnlich; teils # neu\r\n" WORKLOAD);

	(void)state;
	assert_string_equal(profile_get(p, K_TITLE), "Ringe, \xc3\xa4hnlich; teils # neu");
	profile_free(p);
}

static void comments_and_indentation_are_taken(void **state)
{
	struct profile *p =
		good("# one\n; two\n\n[disk]\n  # three\n  bus = nvme\n\n[workload w]\n; four\n");

	(void)state;
	assert_string_equal(cell_get(&p->cells[0], K_BUS), "nvme");
	profile_free(p);
}

static void errors_name_line_and_remedy(void **state)
{
	(void)state;
	bad("[disk]\nring = pakced\n" WORKLOAD,
	    "t.ini:2: ring: \"pakced\" is not one of split, packed", "did you mean \"packed\"?");
	bad("[dsik]\nring = packed\n" WORKLOAD, "t.ini:1: [dsik] is no section",
	    "did you mean [disk]?");
	bad("[wrokload a]\n", "t.ini:1: [wrokload a]", "did you mean [workload NAME]?");
	bad("[zzzzzz]\n" WORKLOAD, "t.ini:1: [zzzzzz] is no section", "[guest], [disk]");
	bad("[disk]\n\nringg = packed\n" WORKLOAD, "t.ini:3: \"ringg\" is no key of [disk]",
	    "did you mean \"ring\"?");
	bad("[disk]\nRing = packed\n" WORKLOAD, "t.ini:2: \"Ring\" is no key",
	    "did you mean \"ring\"?");
	bad("[disk]\nblocks = 3\n" WORKLOAD, "t.ini:2: \"blocks\" is no key of [disk]",
	    "belongs into [run]");
	bad("[disk]\nxyzzyxy = 3\n" WORKLOAD, "t.ini:2: \"xyzzyxy\" is no key",
	    "vbench help profile");
	bad("[disk]\nsize = 4X\n" WORKLOAD, "t.ini:2: size: \"4X\" is not a size", "4k or 1G");
	bad("[disk]\nsize = -4k\n" WORKLOAD, "t.ini:2: size:", "not a size");
	bad("[workload w]\nruntime = 3 parsecs\n", "t.ini:2: runtime: \"3 parsecs\" is not a time",
	    "700ms");
	bad("[disk]\nqueue-size = 32769\n" WORKLOAD,
	    "t.ini:2: queue-size: \"32769\" is out of range", "from 2 to 32768");
	bad("[disk]\nqueues = 0\n" WORKLOAD, "t.ini:2: queues: \"0\" is out of range",
	    "from 1 to 255");
	bad("[disk]\nqueues = 99999999999999999999\n" WORKLOAD, "t.ini:2: queues:", "too large");
	bad("[disk]\nqueues = 2x\n" WORKLOAD, "t.ini:2: queues: \"2x\" is not a whole number", "");
	bad("[disk]\nsize = 1500k\n" WORKLOAD, "t.ini:2: size: \"1500k\"", "multiple of 1M");
	bad("[disk]\niothread = maybe\n" WORKLOAD,
	    "t.ini:2: iothread: \"maybe\" is not one of on, off", "");
	bad("[disk]\nbus = nvme # fast\n" WORKLOAD,
	    "t.ini:2: bus:", "a comment needs a line of its own");
	bad("[workload w]\nrate = 0\n", "t.ini:2: rate:", "none");
	bad("[run]\nseed = -1\n" WORKLOAD, "t.ini:2: seed: \"-1\" is not a whole number",
	    "or random");
}

static void lists_are_checked(void **state)
{
	(void)state;
	bad("[disk]\nbus =\n" WORKLOAD, "t.ini:2: bus: there is no value",
	    "virtio-blk, virtio-scsi, nvme");
	bad("[disk]\nbus = virtio-blk,,nvme\n" WORKLOAD,
	    "t.ini:2: bus: a value of the list is empty", "comma");
	bad("[disk]\nbus = virtio-blk,\n" WORKLOAD, "t.ini:2: bus: a value of the list is empty",
	    "comma");
	bad("[disk]\nbus = nvme, nvme\n" WORKLOAD, "t.ini:2: bus: \"nvme\" is in the list twice",
	    "");
	/* equal only once canonical */
	bad("[disk]\nsize = 1G, 1024M\n" WORKLOAD, "t.ini:2: size: \"1024M\" is in the list twice",
	    "");
	bad("[disk]\nformat = qcow2\nmode = full, prealloc\n" WORKLOAD,
	    "t.ini:3: mode: \"prealloc\" is in the list", "twice");
	bad("[workload w]\nbs = 4k, 8k\n", "t.ini:2: bs: \"4k, 8k\" is a list", "takes one value");
	bad("[run]\nlabel = a\nblocks = 2, 3\n" WORKLOAD, "t.ini:3: blocks:", "takes one value");
}

static void structure_is_checked(void **state)
{
	(void)state;
	bad("", "t.ini:1: there is no workload", "[workload randread]");
	bad("[disk]\nbus = nvme\n", "t.ini:1: there is no workload", "");
	bad("bus = nvme\n" WORKLOAD, "t.ini:1: this stands before the first section", "");
	bad("[disk\nbus = nvme\n" WORKLOAD, "t.ini:1: the section is not closed", "\"]\"");
	bad("[]\n", "t.ini:1: a section needs a name", "");
	bad("[workload]\nrw = read\n", "t.ini:1: a workload needs a name", "[workload randread]");
	bad("[workload a b]\n", "t.ini:1: \"a b\" will not do as the name", "letters");
	bad("[workload w]\n[disk]\nbus = nvme\n[disk]\nsize = 1G\n",
	    "t.ini:4: [disk] is there twice", "one heading");
	bad(WORKLOAD WORKLOAD, "t.ini:3: [workload w] is there twice", "name of its own");
	bad(WORKLOAD "[workload  w]\n", "t.ini:3: [workload w] is there twice", "name of its own");
	bad("[disk]\nbus = nvme\nsize = 1G\nbus = nvme\n" WORKLOAD, "t.ini:4: bus is there twice",
	    "keep one");
	bad("[disk]\nbus\n" WORKLOAD, "t.ini:2: \"bus\" is neither KEY = VALUE", "");
	bad("[disk]\n= nvme\n" WORKLOAD, "t.ini:2: there is no key before the \"=\"", "");
	/* the first of several errors is told */
	bad("[disk]\nfoo\n= 3\n[guest]\nbar\n" WORKLOAD, "t.ini:2:", "foo");
	/* libini-config compares names without case */
	bad("[disk]\nbus = nvme\nBUS = nvme\n" WORKLOAD, "t.ini:3: BUS is there twice", "");
	bad("[disk]\nbus = nvme\n[DISK]\nbus = nvme\n" WORKLOAD, "t.ini:3: [DISK] is there twice",
	    "");
}

static void bytes_are_checked(void **state)
{
	static const char nul[] = "[disk]\nbus = nv\0me\n" WORKLOAD,
			  latin1[] = "[profile]\ntitle = \xe4rger\n" WORKLOAD;
	static const char overlong[] = "# \xc0\xaf\n", surrogate[] = "# \xed\xa0\x80\n",
			  cut[] = "[disk]\n# \xe2\x82";
	static const char utf16[] = "\xff\xfe[\0d\0", escape[] = "[profile]\ntitle = \x1b[2J\n";

	(void)state;
	bad_bytes(nul, sizeof(nul) - 1, NULL, 0, "t.ini:2: byte 9 is the control character 0x00",
		  "");
	bad_bytes(latin1, sizeof(latin1) - 1, NULL, 0, "t.ini:2: byte 9 (0xe4) is not UTF-8", "");
	bad_bytes(overlong, sizeof(overlong) - 1, NULL, 0, "t.ini:1: byte 3 (0xc0) is not UTF-8",
		  "");
	bad_bytes(surrogate, sizeof(surrogate) - 1, NULL, 0, "t.ini:1: byte 3 (0xed) is not UTF-8",
		  "");
	bad_bytes(cut, sizeof(cut) - 1, NULL, 0, "t.ini:2: byte 3 (0xe2) is not UTF-8", "");
	bad_bytes(utf16, sizeof(utf16) - 1, NULL, 0, "t.ini:1: byte 1 (0xff) is not UTF-8", "");
	bad_bytes(escape, sizeof(escape) - 1, NULL, 0,
		  "t.ini:2: byte 9 is the control character 0x1b", "");
}

static void lengths_are_bounded(void **state)
{
	size_t n = 10u << 20;
	char *text = malloc(n + 64);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', n + 64);
	memcpy(text, "[disk]\nbus = ", 13);
	bad_bytes(text, n, NULL, 0, "t.ini:2: the line is 10485753 bytes long", "65536");
	for (size_t i = 100; i < n; i += 100) /* many lines, each short */
		memcpy(text + i, "\n# ", 3);
	memcpy(text + 7, "# ", 2);
	bad_bytes(text, n, NULL, 0, "t.ini:1: the file has 10485760 bytes", "1048576");
	free(text);
}

static void text_that_is_too_long_is_refused(void **state)
{
	char text[1000];

	(void)state;
	snprintf(text, sizeof(text), "[run]\nlabel = %0101d\n" WORKLOAD, 1);
	bad(text, "t.ini:2: label: the text is 101 bytes long", "100");
}

static void combinations_of_options_are_checked(void **state)
{
	(void)state;
	bad("[workload w]\nioengine = psync\niodepth = 4\n",
	    "t.ini:1: [workload w]: iodepth=4 with ioengine=psync", "io_uring");
	bad("[workload w]\nrw = read\nverify = md5\n",
	    "t.ini:1: [workload w]: verify=md5 with rw=read", "");
	bad("[workload w]\nrate = 1000iops\nramp = 700ms\nruntime = 700ms\n",
	    "t.ini:1: [workload w]: with a rate", "shorten ramp");
	/* 64 x 256 x 64k is 1 GiB of buffers, a quarter of 256 MiB is 64 MiB */
	bad("[workload w]\nnumjobs = 64\niodepth = 256\nbs = 64k\n",
	    "t.ini:1: [workload w]: numjobs x iodepth x bs", "guest.memory");
	bad("[disk]\nsize = 64M\n[workload w]\nsize = 65M\n",
	    "t.ini:3: [workload w]: size = 65M is more", "64M");
	bad("[disk]\naio = native\ncache = writeback\n" WORKLOAD,
	    "t.ini:1: no combination makes sense", "O_DIRECT");
	bad("[disk]\nqueues = 4\n" WORKLOAD, "t.ini:1: no combination makes sense", "vCPUs");
}

static void pass_through_cannot_undo_what_is_set(void **state)
{
	struct profile *p =
		good("[disk]\nblockdev.discard = unmap\n[workload w]\nfio.bssplit = 4k/50:8k/50\n");

	(void)state;
	assert_int_equal(p->cells[0].nextras, 1);
	assert_string_equal(p->cells[0].extras[0].key, "discard");
	assert_string_equal(p->cells[0].extras[0].value, "unmap");
	assert_string_equal(p->workloads[0].extras[0].key, "bssplit");
	profile_free(p);
	bad("[disk]\nblockdev.file.filename = /dev/sda\n" WORKLOAD,
	    "t.ini:2: blockdev.file.filename:", "vbench makes");
	bad("[disk]\nblockdev.cache.direct = off\n" WORKLOAD,
	    "t.ini:2: blockdev.cache.direct:", "disk.cache");
	bad("[disk]\nblockdev. = off\n" WORKLOAD,
	    "t.ini:2: blockdev.:", "name of a QEMU block option");
	bad("[workload w]\nfio.filename = /dev/sda\n", "t.ini:2: fio.filename:", "vbench aims");
	bad("[workload w]\nfio.bs = 8k\n", "t.ini:2: fio.bs:", "use the key bs");
	bad("[workload w]\nfio.exec_prerun = reboot\n", "t.ini:2: fio.exec_prerun:", "no programs");
	bad("[workload w]\nfio.zonemode = strided ; [x]\n",
	    "t.ini:2: fio.zonemode:", "may not hold");
	bad("[workload w]\nfio.io_size = `reboot`\n", "t.ini:2: fio.io_size:", "may not hold");
}

static void sets_override(void **state)
{
	static const char *const sets[] = {
		"disk.bus=nvme,virtio-scsi",   "workload.bs=8k",
		"workload a.b.bs=16k",	       "run.blocks=3",
		"disk.blockdev.discard=unmap", "workload.fio.gtod_reduce=0"};
	struct profile *p = good_with(
		"[disk]\nbus = virtio-blk\nsize = 1G, 2G\n[workload a]\n[workload a.b]\n", sets, 6);

	(void)state;
	assert_int_equal(p->naxes, 2);
	assert_string_equal(p->axes[0].key, "disk.bus"); /* in its old place */
	assert_string_equal(p->cells[0].label, "nvme size=1G");
	assert_string_equal(p->cells[3].label, "virtio-scsi size=2G");
	assert_int_equal(workload_u64(&p->workloads[0], K_BS), 8192);
	assert_int_equal(workload_u64(&p->workloads[1], K_BS), 16384);
	assert_int_equal(profile_u64(p, K_BLOCKS), 3);
	assert_string_equal(p->cells[0].extras[0].value, "unmap");
	assert_string_equal(p->workloads[1].extras[0].key, "gtod_reduce");
	assert_int_equal(p->nsets, 6);
	assert_string_equal(p->sets[0], sets[0]);
	profile_free(p);
}

static void bad_set(const char *set, const char *start, const char *part)
{
	bad_bytes(WORKLOAD, strlen(WORKLOAD), &set, 1, start, part);
}

static void bad_sets_are_named(void **state)
{
	(void)state;
	bad_set("disk.bus=nvmee", "--set disk.bus: \"nvmee\" is not one of",
		"did you mean \"nvme\"?");
	bad_set("disk.bus=", "--set disk.bus: there is no value", "");
	bad_set("disk.bus", "--set disk.bus: write SECTION.KEY=VALUE", "");
	bad_set("bus=nvme", "--set bus: write SECTION.KEY=VALUE", "");
	bad_set("", "--set : write SECTION.KEY=VALUE", "");
	bad_set("dusk.bus=nvme", "--set dusk.bus: \"dusk\" is no section",
		"did you mean \"disk\"?");
	bad_set("disk.buss=nvme", "--set disk.buss: \"buss\" is no key of [disk]",
		"did you mean \"bus\"?");
	bad_set("workload x.bs=8k", "--set workload x.bs: there is no workload",
		"the first is \"w\"");
	bad_set("disk.dir=/a\xff", "--set disk.dir: byte 12 (0xff) is not UTF-8", "");
}

static void files_are_loaded_or_named(void **state)
{
	char path[] = "/tmp/vbench-profile-XXXXXX";
	struct profile *p = NULL;
	struct err e = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, WORKLOAD, strlen(WORKLOAD)), (ssize_t)strlen(WORKLOAD));
	close(fd);
	assert_int_equal(profile_load(path, NULL, 0, &p, &e), 0);
	assert_string_equal(p->text, WORKLOAD);
	assert_int_equal(p->text_len, strlen(WORKLOAD));
	assert_string_equal(p->path, path);
	profile_free(p);
	unlink(path);
	assert_int_equal(profile_load(path, NULL, 0, &p, &e), -EINVAL);
	assert_int_equal(e.status, VB_BAD_INPUT);
	assert_non_null(strstr(e.text, "No such file"));
	assert_int_equal(profile_load("/tmp", NULL, 0, &p, &e), -EINVAL);
	assert_non_null(strstr(e.text, "/tmp: this is no file"));
	assert_int_equal(profile_load("/dev/zero", NULL, 0, &p, &e), -EINVAL);
}

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void ready_profiles_are_found_and_listed(void **state)
{
	char dir[] = "/tmp/vbench-find-XXXXXX", sub[64], *text = NULL, *found;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/profiles", dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	put_file(sub, "vb-first.ini", "[profile]\nquestion = Does it list?\n" WORKLOAD);
	put_file(sub, "vb-second.ini", "[disk\n");
	put_file(sub, "vb-note.txt", "no profile\n");
	found = profile_find("vb-first", dir);
	assert_non_null(found);
	assert_non_null(strstr(found, "/profiles/vb-first.ini"));
	free(found);
	assert_null(profile_find("vb-third", dir));
	assert_null(profile_find("./vb-first", dir)); /* a path is not looked up */
	assert_null(profile_find("vb-first", NULL));
	profile_list(out, dir);
	fclose(out);
	assert_non_null(strstr(text, "Does it list?"));
	assert_non_null(strstr(text, "vb-second"));
	assert_non_null(strstr(text, "broken"));
	assert_null(strstr(text, "vb-note"));
	free(text);
	found = xasprintf("rm -r %s", dir);
	assert_int_equal(system(found), 0);
	free(found);
}

static void help_names_every_key(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	profile_help(out);
	fclose(out);
	for (size_t i = 0; i < K_COUNT; i++) {
		char line[64];

		snprintf(line, sizeof(line), "    %s = ", profile_keys[i].name);
		assert_non_null(strstr(text, line));
		assert_non_null(strstr(text, profile_keys[i].help));
	}
	assert_non_null(strstr(text, "(default 256)"));
	assert_non_null(strstr(text, "NUMBER from 2 to 32768"));
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_stand),
		cmocka_unit_test(every_row_of_the_table_is_whole),
		cmocka_unit_test(units_bools_and_aliases_are_canonical),
		cmocka_unit_test(prose_may_hold_commas_and_umlauts),
		cmocka_unit_test(comments_and_indentation_are_taken),
		cmocka_unit_test(errors_name_line_and_remedy),
		cmocka_unit_test(lists_are_checked),
		cmocka_unit_test(structure_is_checked),
		cmocka_unit_test(bytes_are_checked),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(text_that_is_too_long_is_refused),
		cmocka_unit_test(combinations_of_options_are_checked),
		cmocka_unit_test(pass_through_cannot_undo_what_is_set),
		cmocka_unit_test(sets_override),
		cmocka_unit_test(bad_sets_are_named),
		cmocka_unit_test(files_are_loaded_or_named),
		cmocka_unit_test(ready_profiles_are_found_and_listed),
		cmocka_unit_test(help_names_every_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
