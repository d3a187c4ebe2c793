// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images as they are planned, really made by qemu-img and opened by QEMU: every value of the tables
 * of formats and options is accepted, takes a pattern and gives it back, and is then found again in
 * what QEMU says of its nodes. The independent programs are qemu-img and QEMU with its qemu-io.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "disk/disk.h"

static int run(char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static bool there(const char *program)
{
	char *text = xasprintf("command -v %s >/dev/null", program);
	bool yes = !system(text);

	free(text);
	return yes;
}

/* Half of each 4 KiB by a generator (xorshift64), half zeroes. */
static void make_source(const char *path, uint64_t bytes)
{
	uint64_t block[512] = {0}, x = 88172645463325252u;
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (uint64_t done = 0; done < bytes; done += sizeof(block)) {
		for (size_t i = 0; i < 256; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			block[i] = x;
		}
		assert_int_equal(fwrite(block, sizeof(block), 1, f), 1);
	}
	assert_int_equal(fclose(f), 0);
}

static void make_images(const struct disk_plan *p)
{
	for (size_t i = 0; i < p->nsteps; i++) {
		if (p->steps[i].source) {
			make_source(p->steps[i].source, p->steps[i].source_bytes);
			continue;
		}
		/* a key derivation that was too fast for the kernel's CPU clock; see disk/format.c
		 */
		for (int n = 0; n < 5 && run(p->steps[i].argv); n++)
			assert_true(n < 4);
	}
}

static void say(FILE *f, const char *command, json_t *arguments, const char *id)
{
	json_t *all = json_pack("{s:s, s:o, s:s}", "execute", command, "arguments",
				arguments ? arguments : json_object(), "id", id);

	assert_non_null(all);
	json_dumpf(all, f, JSON_COMPACT);
	fputc('\n', f);
	json_decref(all);
}

static void say_io(FILE *f, const char *node, const char *words)
{
	say(f, "human-monitor-command",
	    json_pack("{s:o}", "command-line", json_sprintf("qemu-io %s \"%s\"", node, words)),
	    "io");
}

/* 0x5a over 1 MiB in the middle and at both ends of the disk. */
static void write_script(const struct disk_plan *p, const char *path)
{
	unsigned long long at[] = {0, p->size / 2, p->size - (1u << 20)};
	FILE *f = fopen(path, "w");
	char words[64];

	assert_non_null(f);
	say(f, "qmp_capabilities", NULL, "start");
	for (size_t i = 0; i < p->nspecs; i++)
		if (p->specs[i].kind != Q_DEVICE)
			say(f, qspec_command(p->specs[i].kind), json_incref(p->specs[i].args),
			    "spec");
	for (size_t i = 0; i < 3; i++) {
		snprintf(words, sizeof(words), "write -P 0x5a %llu 1M", at[i]);
		say_io(f, p->fmt_node, words);
	}
	say_io(f, p->fmt_node, "flush");
	for (size_t i = 0; i < 3; i++) {
		snprintf(words, sizeof(words), "read -P 0x5a %llu 1M", at[i]);
		say_io(f, p->fmt_node, words);
	}
	say(f, "query-named-block-nodes", NULL, "nodes");
	say(f, "qom-get",
	    json_pack("{s:s, s:s}", "path", "/objects/vb0-throttle", "property", "limits"),
	    "throttle");
	say(f, "quit", NULL, "quit");
	fclose(f);
}

/* QEMU's answers, of which those with an id of evidence are put into qmp. */
static void read_answers(const char *path, const char *what, json_t *qmp)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	assert_non_null(f);
	while (getline(&line, &size, f) > 0) {
		json_t *j = json_loads(line, 0, NULL), *v = json_object_get(j, "return");
		const char *id = json_string_value(json_object_get(j, "id"));

		if (strstr(line, "verification failed") ||
		    (id && strcmp(id, "throttle") && json_object_get(j, "error")) ||
		    (id && !strcmp(id, "io") && json_string_length(v)))
			print_error("%s: %s\n", what, line);
		assert_null(strstr(line, "verification failed"));
		if (id && strcmp(id, "throttle"))
			assert_null(json_object_get(j, "error"));
		if (id && !strcmp(id, "io"))
			assert_int_equal(json_string_length(v), 0);
		if (id && !strcmp(id, "nodes"))
			json_object_set(qmp, "query-named-block-nodes", v);
		if (id && !strcmp(id, "throttle") && v)
			json_object_set(qmp, "throttle", v);
		json_decref(j);
	}
	free(line);
	fclose(f);
}

static json_t *image_evidence(const struct disk_plan *p)
{
	struct stat st, data;

	assert_int_equal(stat(p->image, &st), 0);
	if (!p->nfiles)
		return json_pack("{s:I, s:I}", "size", (json_int_t)st.st_size, "allocated",
				 (json_int_t)st.st_blocks * 512);
	assert_int_equal(stat(p->files[0], &data), 0);
	return json_pack("{s:I, s:I, s:{s:I, s:I}}", "size", (json_int_t)st.st_size, "allocated",
			 (json_int_t)st.st_blocks * 512, "data", "size", (json_int_t)data.st_size,
			 "allocated", (json_int_t)data.st_blocks * 512);
}

static json_t *open_images(const struct disk_plan *p, const char *dir, const char *what)
{
	char *script = xasprintf("%s/script", dir), *out = xasprintf("%s/out", dir);
	char *command = xasprintf("timeout 60 qemu-system-x86_64 -M none -nodefaults -display none "
				  "-S -qmp stdio <%s >%s 2>&1",
				  script, out);
	json_t *qmp = json_object(), *image = image_evidence(p);

	write_script(p, script);
	assert_int_equal(system(command), 0);
	read_answers(out, what, qmp);
	free(script);
	free(out);
	free(command);
	return json_pack("{s:o, s:o}", "qmp", qmp, "image", image);
}

/* The keys that are meant by an image; what the guest would have to say stays unknown here. */
static bool of_image(const char *key)
{
	static const char *const keys[] = {
		"disk.format",
		"disk.cluster-size",
		"disk.extended-l2",
		"disk.lazy-refcounts",
		"disk.compat",
		"disk.content",
		"disk.backing",
		"disk.compression",
		"disk.data-file",
		"disk.detect-zeroes",
		"disk.throttle-iops",
		"disk.throttle-bps",
		"disk.throttle-iops-max",
		"disk.throttle-bps-max",
		"disk.throttle-burst",
		"disk.backend",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(key, keys[i]))
			return true;
	return false;
}

/* Each asked value that stands in `disk` is among the matching rows. */
static void compare_rows(const struct cell *c, const struct disk_plan *p, const json_t *ev,
			 const char *disk)
{
	struct asked_got rows[80];
	size_t n = disk_asked_got(c, p, ev, NULL, rows, 80), found = 0, wanted = 0;

	for (size_t i = 0; i < n; i++) {
		char *name = xasprintf("%s = ", rows[i].key + strlen("disk."));

		if (of_image(rows[i].key)) {
			if (rows[i].state != GOT_MATCH)
				print_error("%s: %s: asked %s, got %s\n", disk, rows[i].key,
					    rows[i].asked, rows[i].got);
			assert_int_equal(rows[i].state, GOT_MATCH);
			found += strstr(disk, name) != NULL;
		}
		free(name);
	}
	for (const char *s = disk; (s = strstr(s, " = ")); s++)
		wanted++;
	/* cache and aio are of another test; mode needs FIEMAP; l2-cache-size is not told */
	wanted -= (strstr(disk, "aio = ") != NULL) + (strstr(disk, "cache = ") != NULL) +
		  (strstr(disk, "mode = ") != NULL) + (strstr(disk, "l2-cache-size = ") != NULL) +
		  (strstr(disk, "discard = ") != NULL);
	assert_int_equal(found, wanted);
}

static void check(const char *disk)
{
	char dir[] = "/var/tmp/vbench-image-XXXXXX";
	char *text = xasprintf("[disk]\nsize = 64M\n%s\n[workload w]\nrw = randread\n", disk);
	struct disk_env env = {.image_dir = dir, .qemu_img = "qemu-img", .vcpus = 2};
	char *const remove[] = {"rm", "-rf", dir, NULL};
	struct profile *p = NULL;
	struct disk_plan plan;
	struct err e = {0};
	json_t *ev;

	assert_non_null(mkdtemp(dir));
	if (profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e))
		print_error("%s: %s\n", disk, e.text);
	assert_non_null(p);
	for (size_t i = 0; i < p->ncells; i++) {
		assert_int_equal(disk_plan_make(&p->cells[i], &env, &plan, &e), 0);
		make_images(&plan);
		ev = open_images(&plan, dir, p->cells[i].label);
		compare_rows(&p->cells[i], &plan, ev, disk);
		json_decref(ev);
		for (size_t k = 0; k < plan.nfiles; k++)
			unlink(plan.files[k]);
		unlink(plan.image);
		disk_plan_free(&plan);
	}
	assert_true(p->ncells > 0);
	profile_free(p);
	free(text);
	assert_int_equal(run(remove), 0);
}

#define NEEDS_QEMU()                                                                \
	do {                                                                        \
		(void)state;                                                        \
		if (!there("qemu-img") || !there("qemu-system-x86_64")) {           \
			print_message("# skipped: qemu-img and QEMU are needed\n"); \
			skip();                                                     \
		}                                                                   \
	} while (0)

static void every_format_is_made_written_and_recognised(void **state)
{
	NEEDS_QEMU();
	check("format = raw, qcow2, qcow, qed, vmdk, vdi, vpc, vhdx, luks");
}

static void every_format_is_converted_to(void **state)
{
	NEEDS_QEMU();
	check("format = raw, qcow2, qcow, qed, vmdk, vdi, vpc, vhdx, luks\ncontent = data");
}

static void options_of_qcow2_are_recognised(void **state)
{
	NEEDS_QEMU();
	check("format = qcow2\ncluster-size = 512, 4k, 2M");
	check("format = qcow2\ncluster-size = 16k, 64k\nextended-l2 = on");
	check("format = qcow2\nlazy-refcounts = off, on");
	check("format = qcow2\ncompat = 0.10, 1.1");
	check("format = qcow2\nmode = thin, metadata, falloc\ndata-file = on\ndiscard = unmap"
	      "\ndetect-zeroes = off, on, unmap\nl2-cache-size = 1M");
	check("format = qcow2\ncontent = data\ncompression = none, zlib, zstd");
}

static void overlays_are_opened_with_their_layers(void **state)
{
	NEEDS_QEMU();
	check("format = qcow2\ncontent = data\nbacking = 0, 1, 4, 64");
	check("format = qcow2\ncontent = data\nbacking = 2\nextended-l2 = on\naio = threads\n"
	      "cache = unsafe\ncompression = zstd\nthrottle-iops = 1000000");
}

static void limits_are_those_of_the_throttle_group(void **state)
{
	NEEDS_QEMU();
	check("throttle-iops = 1000000\nthrottle-iops-max = 2000000\nthrottle-burst = 5s");
	check("throttle-bps = 1G\nthrottle-bps-max = 2G\nthrottle-burst = 3s");
	check("throttle-bps = 1G\nthrottle-iops = 1000000\nformat = qcow2, vmdk");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_is_made_written_and_recognised),
		cmocka_unit_test(every_format_is_converted_to),
		cmocka_unit_test(options_of_qcow2_are_recognised),
		cmocka_unit_test(overlays_are_opened_with_their_layers),
		cmocka_unit_test(limits_are_those_of_the_throttle_group),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
