/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asked against got for the keys of [guest]: match, differ and unknown for each, on evidence
 * written by hand after the answers of QEMU 7.2 to QMP, of the agent (HACKING.md, "Evidence"), and
 * of proc(5) (Seccomp: 2 is SECCOMP_MODE_FILTER).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "guest/evidence.h"
#include "guest/pin.h"

#define QEMU "/usr/bin/qemu-system-x86_64"
/* As distributions have: a script that executes the above. */
#define WRAPPER "/usr/bin/kvm"

/* What a good trial of the cell below tells. */
static const char good[] =
	"{'guest': {'facts': {'kernel': '6.1.0-18-cloud-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1', 'cpus': 2},"
	"  'disk': {'scheduler': 'none'}},"
	" 'qmp': {'query-kvm': {'enabled': false, 'present': true},"
	"  'query-cpus-fast': [{'cpu-index': 0}, {'cpu-index': 1}],"
	"  'query-memory-size-summary': {'base-memory': 268435456, 'plugged-memory': 0},"
	"  'machine': 'pc-q35-7.2', 'cpu': 'max-x86_64-cpu', 'query-migrate': {'status': 'completed'}},"
	" 'host': {'qemu': '" QEMU "', 'seccomp': 2,"
	"  'affinity': {'vcpu': ['0-3', '0-3'], 'iothread': ['0-3'], 'emulator': ['0-3'], 'own': '0-3'},"
	"  'memory': {'page': 4096, 'nodes': {'0': 268435456}, 'policy': 'default'}}}";

static json_t *json_of(const char *text)
{
	char *copy = strdup(text);
	json_t *j;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	j = json_loads(copy, JSON_DECODE_ANY, NULL);
	assert_non_null(j);
	free(copy);
	return j;
}

struct change {
	const char *path, *value; /* "qmp/machine"; a NULL value takes it out */
};

static void change(json_t *root, const struct change *c)
{
	const char *path = c->path, *slash;
	json_t *at = root;
	char word[64];

	while ((slash = strchr(path, '/'))) {
		snprintf(word, sizeof(word), "%.*s", (int)(slash - path), path);
		at = json_object_get(at, word);
		assert_non_null(at);
		path = slash + 1;
	}
	if (c->value)
		json_object_set_new(at, path, json_of(c->value));
	else
		json_object_del(at, path);
}

static size_t ask(const char *guest, const char *accel, const json_t *evidence,
		  struct asked_got *out, size_t max)
{
	struct qemu_info info = {
		.path = (char *)WRAPPER, .exe = (char *)QEMU, .machine = (char *)"pc-q35-7.2"};
	struct profile *p = NULL;
	struct err e = {0};
	const char *said;
	struct pin pin = {0};
	struct machine m;
	char *text = xasprintf("[guest]\n%s[workload w]\n", guest);
	size_t n;

	if (profile_parse(text, strlen(text), "t.ini", NULL, 0, &p, &e))
		print_error("%s\n", e.text);
	assert_non_null(p);
	machine_make(&m, &p->cells[0], &info, accel, "/vmlinuz", "/initramfs");
	/* as the run does it */
	said = cell_get(&p->cells[0], K_PIN);
	if (strcmp(said, "none")) {
		assert_null(pin_parse(said, &pin));
		m.pin = &pin;
	}
	n = guest_asked_got(&p->cells[0], &m, "6.1.0-18-cloud-amd64", evidence, out, max);
	profile_free(p);
	pin_free(&pin);
	free(text);
	return n;
}

/* One row, on good evidence with at most two changes. */
static void expect_row(const char *guest, const char *accel, const char *key, enum got_state state,
		       const char *asked, const char *got, const struct change *c, size_t n)
{
	struct asked_got rows[32];
	json_t *evidence = json_of(good);
	size_t count, i;

	for (i = 0; i < n; i++)
		change(evidence, &c[i]);
	count = ask(guest, accel, evidence, rows, 32);
	for (i = 0; i < count && strcmp(rows[i].key, key); i++)
		;
	assert_true(i < count);
	if (rows[i].state != state || strcmp(rows[i].asked, asked) || !strstr(rows[i].got, got))
		print_error("%s: state %d, asked %s, got %s (%s)\n", key, rows[i].state,
			    rows[i].asked, rows[i].got, rows[i].from);
	assert_int_equal(rows[i].state, state);
	assert_string_equal(rows[i].asked, asked);
	assert_non_null(strstr(rows[i].got, got));
	assert_true(*rows[i].from);
	json_decref(evidence);
}

#define EXPECT(guest, accel, key, state, asked, got, ...)                                         \
	do {                                                                                      \
		const struct change c_[] = {__VA_ARGS__};                                         \
		expect_row(guest, accel, key, state, asked, got, c_, sizeof(c_) / sizeof(c_[0])); \
	} while (0)
#define ROW(key, state, asked, got, ...) EXPECT("", "tcg", key, state, asked, got, __VA_ARGS__)
#define AS_IT_IS                    \
	{                           \
		"host/seccomp", "2" \
	}

static void all_keys_of_a_good_trial_match(void **state)
{
	static const char *const keys[] = {
		"guest.site",	 "guest.accel", "guest.vcpus",	"guest.memory",	 "guest.cpu",
		"guest.machine", "guest.qemu",	"guest.kernel", "guest.sandbox", "guest.scheduler",
		"guest.start",	 "guest.pin",	"guest.pages",	"guest.nodes"};
	struct asked_got rows[32];
	json_t *evidence = json_of(good);
	size_t n = ask("", "tcg", evidence, rows, 32);

	(void)state;
	assert_int_equal(n, sizeof(keys) / sizeof(keys[0]));
	for (size_t k = 0; k < n; k++) {
		size_t i = 0;

		while (i < n && strcmp(rows[i].key, keys[k]))
			i++;
		assert_true(i < n);
		assert_int_equal(rows[i].state, GOT_MATCH);
		assert_string_equal(rows[i].asked, rows[i].got);
	}
	json_decref(evidence);
}

/* What an agent answers was run in a guest, whatever was asked for. */
static void a_guest_is_no_host(void **state)
{
	(void)state;
	ROW("guest.site", GOT_MATCH, "guest", "guest", AS_IT_IS);
	ROW("guest.site", GOT_UNKNOWN, "guest", "does not say", {"guest/facts", "{}"});
}

static void the_accelerator_is_what_qemu_says(void **state)
{
	(void)state;
	ROW("guest.accel", GOT_MATCH, "tcg", "tcg", AS_IT_IS);
	ROW("guest.accel", GOT_DIFFER, "tcg", "kvm", {"qmp/query-kvm/enabled", "true"});
	/* asked for KVM, and silently emulated */
	EXPECT("", "kvm", "guest.accel", GOT_DIFFER, "kvm", "tcg", AS_IT_IS);
	EXPECT("", "kvm", "guest.accel", GOT_MATCH, "kvm", "kvm",
	       {"qmp/query-kvm/enabled", "true"});
	/* that KVM is present says nothing */
	EXPECT("", "kvm", "guest.accel", GOT_UNKNOWN, "kvm", "query-kvm",
	       {"qmp/query-kvm", "{'present': true}"});
	ROW("guest.accel", GOT_UNKNOWN, "tcg", "query-kvm", {"qmp/query-kvm", NULL});
}

static void vcpus_are_counted_on_both_sides(void **state)
{
	(void)state;
	ROW("guest.vcpus", GOT_MATCH, "2", "2", AS_IT_IS);
	ROW("guest.vcpus", GOT_DIFFER, "2", "1 (guest)", {"guest/facts/cpus", "1"});
	ROW("guest.vcpus", GOT_DIFFER, "2", "1 (host)",
	    {"qmp/query-cpus-fast", "[{'cpu-index': 0}]"});
	EXPECT("vcpus = 4\n", "tcg", "guest.vcpus", GOT_DIFFER, "4", "2", AS_IT_IS);
	ROW("guest.vcpus", GOT_UNKNOWN, "2", "", {"guest/facts/cpus", NULL});
	ROW("guest.vcpus", GOT_UNKNOWN, "2", "", {"qmp/query-cpus-fast", NULL});
}

static void memory_is_what_qemu_says(void **state)
{
	(void)state;
	ROW("guest.memory", GOT_MATCH, "256 MiB", "256 MiB", AS_IT_IS);
	ROW("guest.memory", GOT_DIFFER, "256 MiB", "512 MiB",
	    {"qmp/query-memory-size-summary/base-memory", "536870912"});
	ROW("guest.memory", GOT_UNKNOWN, "256 MiB", "does not say",
	    {"qmp/query-memory-size-summary", NULL});
}

static void the_cpu_is_the_type_of_the_first_vcpu(void **state)
{
	(void)state;
	ROW("guest.cpu", GOT_MATCH, "max", "max", AS_IT_IS);
	ROW("guest.cpu", GOT_DIFFER, "max", "qemu64", {"qmp/cpu", "'qemu64-x86_64-cpu'"});
	/* auto is host under KVM; features are no part of the type */
	EXPECT("", "kvm", "guest.cpu", GOT_DIFFER, "host", "max", AS_IT_IS);
	EXPECT("cpu = max,-x2apic\n", "tcg", "guest.cpu", GOT_MATCH, "max", "max", AS_IT_IS);
	ROW("guest.cpu", GOT_UNKNOWN, "max", "does not name", {"qmp/cpu", NULL});
	ROW("guest.cpu", GOT_UNKNOWN, "max", "does not name", {"qmp/cpu", "'-x86_64-cpu'"});
	ROW("guest.cpu", GOT_UNKNOWN, "max", "does not name", {"qmp/cpu", "7"});
}

static void machine_and_binary_are_read_back(void **state)
{
	(void)state;
	/* the alias q35 is pinned to what it means in this binary */
	ROW("guest.machine", GOT_MATCH, "pc-q35-7.2", "pc-q35-7.2", AS_IT_IS);
	ROW("guest.machine", GOT_DIFFER, "pc-q35-7.2", "pc-q35-6.2",
	    {"qmp/machine", "'pc-q35-6.2'"});
	ROW("guest.machine", GOT_UNKNOWN, "pc-q35-7.2", "does not say", {"qmp/machine", "null"});
	ROW("guest.qemu", GOT_MATCH, QEMU, QEMU, AS_IT_IS);
	ROW("guest.qemu", GOT_DIFFER, QEMU, "/opt/qemu",
	    {"host/qemu", "'/opt/qemu/bin/qemu-system-x86_64'"});
	/* replaced while it ran: proc(5) adds this */
	ROW("guest.qemu", GOT_DIFFER, QEMU, "(deleted)", {"host/qemu", "'" QEMU " (deleted)'"});
	ROW("guest.qemu", GOT_UNKNOWN, QEMU, "cannot be read", {"host/qemu", "null"});
}

static void the_kernel_is_the_guests_release(void **state)
{
	(void)state;
	ROW("guest.kernel", GOT_MATCH, "6.1.0-18-cloud-amd64", "6.1.0-18-cloud-amd64", AS_IT_IS);
	ROW("guest.kernel", GOT_DIFFER, "6.1.0-18-cloud-amd64", "6.1.0-1",
	    {"guest/facts/kernel", "'6.1.0-1 #1 SMP'"});
	ROW("guest.kernel", GOT_DIFFER, "6.1.0-18-cloud-amd64", "6.1.0-18-cloud-amd64x",
	    {"guest/facts/kernel", "'6.1.0-18-cloud-amd64x #1 SMP'"});
	ROW("guest.kernel", GOT_UNKNOWN, "6.1.0-18-cloud-amd64", "does not say",
	    {"guest/facts", "{}"});
}

static void the_sandbox_is_the_kernels_word(void **state)
{
	(void)state;
	ROW("guest.sandbox", GOT_MATCH, "on", "on", AS_IT_IS);
	ROW("guest.sandbox", GOT_DIFFER, "on", "off", {"host/seccomp", "0"});
	EXPECT("sandbox = off\n", "tcg", "guest.sandbox", GOT_DIFFER, "off", "on", AS_IT_IS);
	EXPECT("sandbox = off\n", "tcg", "guest.sandbox", GOT_MATCH, "off", "off",
	       {"host/seccomp", "0"});
	ROW("guest.sandbox", GOT_UNKNOWN, "on", "Seccomp", {"host/seccomp", NULL});
}

static void scheduler_and_start(void **state)
{
	(void)state;
	ROW("guest.scheduler", GOT_MATCH, "none", "none", AS_IT_IS);
	ROW("guest.scheduler", GOT_DIFFER, "none", "mq-deadline",
	    {"guest/disk/scheduler", "'mq-deadline'"});
	EXPECT("scheduler = mq-deadline\n", "tcg", "guest.scheduler", GOT_DIFFER, "mq-deadline",
	       "none", AS_IT_IS);
	ROW("guest.scheduler", GOT_UNKNOWN, "none", "no scheduler",
	    {"guest/disk/scheduler", "null"});
	/* a QEMU that was restored says so for ever; one that was booted has nothing to tell */
	ROW("guest.start", GOT_MATCH, "template", "template", AS_IT_IS);
	ROW("guest.start", GOT_DIFFER, "template", "boot", {"qmp/query-migrate", "{}"});
	ROW("guest.start", GOT_UNKNOWN, "template", "query-migrate", {"qmp/query-migrate", NULL});
	EXPECT("start = boot\n", "tcg", "guest.start", GOT_DIFFER, "boot", "template", AS_IT_IS);
	EXPECT("start = boot\n", "tcg", "guest.start", GOT_MATCH, "boot", "boot",
	       {"qmp/query-migrate", "{}"});
}

/* Threads: /proc/PID/task/TID/status. */
static void affinities_are_the_kernels_word(void **state)
{
	static const char pinned[] =
		"{'vcpu': ['2', '3'], 'iothread': ['1'], 'emulator': ['0'], 'own': '0-3'}";

	(void)state;
	ROW("guest.pin", GOT_MATCH, "none", "none", AS_IT_IS);
	/* somebody else has pinned it */
	ROW("guest.pin", GOT_DIFFER, "none", "vcpus 2 3, iothreads 1, emulator 0",
	    {"host/affinity", pinned});
	EXPECT("pin = 2-3/1/0\n", "tcg", "guest.pin", GOT_MATCH,
	       "vcpus 2 3, iothreads 1, emulator 0", "vcpus 2 3, iothreads 1, emulator 0",
	       {"host/affinity", pinned});
	EXPECT("pin = 3+2/1/0\n", "tcg", "guest.pin", GOT_DIFFER,
	       "vcpus 3 2, iothreads 1, emulator 0", "vcpus 2 3", {"host/affinity", pinned});
	/* only what was asked for is held against it */
	EXPECT("pin = 2-3\n", "tcg", "guest.pin", GOT_MATCH, "vcpus 2 3", "vcpus 2 3",
	       {"host/affinity", pinned});
	EXPECT("pin = 2-3\n", "tcg", "guest.pin", GOT_DIFFER, "vcpus 2 3", "vcpus 0-3 0-3",
	       AS_IT_IS);
	ROW("guest.pin", GOT_UNKNOWN, "none", "cannot be read", {"host/affinity", NULL});
}

/* Pages and policies as numa_maps writes them. */
static void memory_is_where_numa_maps_says(void **state)
{
	(void)state;
	ROW("guest.pages", GOT_MATCH, "any", "any", AS_IT_IS);
	EXPECT("pages = 2M\n", "tcg", "guest.pages", GOT_DIFFER, "2M", "any", AS_IT_IS);
	EXPECT("pages = 2M\n", "tcg", "guest.pages", GOT_MATCH, "2M", "2M",
	       {"host/memory/page", "2097152"});
	EXPECT("pages = 2M\n", "tcg", "guest.pages", GOT_UNKNOWN, "2M", "numa_maps",
	       {"host/memory", "null"});
	ROW("guest.nodes", GOT_MATCH, "any", "any", AS_IT_IS);
	EXPECT("nodes = 0+1\n", "tcg", "guest.nodes", GOT_DIFFER, "bind:0-1", "any", AS_IT_IS);
	EXPECT("nodes = 0+1\n", "tcg", "guest.nodes", GOT_MATCH, "bind:0-1", "bind:0-1",
	       {"host/memory/policy", "'bind=static:0-1'"});
	EXPECT("nodes = 1\nmemory-mode = preferred\n", "tcg", "guest.memory-mode", GOT_MATCH,
	       "preferred", "preferred", {"host/memory/policy", "'prefer:1'"});
	EXPECT("nodes = 1\n", "tcg", "guest.memory-mode", GOT_DIFFER, "bind", "preferred",
	       {"host/memory/policy", "'prefer:1'"});
}

/* A guest's word may be of any type and length; fields hold 160 bytes. */
static void odd_evidence_is_survived(void **state)
{
	static const char *const odd[] = {
		"null",
		"[]",
		"{}",
		"'x'",
		"{'guest': 7, 'qmp': [], 'host': 'no'}",
		"{'guest': {'facts': [], 'disk': 'sda'}, 'qmp': {'query-kvm': 1, 'query-cpus-fast': {},"
		" 'query-memory-size-summary': [], 'cpu': {}, 'machine': 1}, 'host': {'qemu': [], 'seccomp': 'two'}}"};
	struct asked_got rows[32];
	char value[3000];
	json_t *evidence;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		size_t n;

		evidence = json_of(odd[i]);
		n = ask("", "tcg", evidence, rows, 32);
		json_decref(evidence);
		for (size_t k = 0; k < n; k++)
			/* what cannot be read is no match */
			assert_int_not_equal(rows[k].state, GOT_MATCH);
	}
	memset(value, 'k', sizeof(value));
	value[0] = value[sizeof(value) - 2] = '\'';
	value[sizeof(value) - 1] = 0;
	ROW("guest.kernel", GOT_DIFFER, "6.1.0-18-cloud-amd64", "kkkk",
	    {"guest/facts/kernel", value});
	ROW("guest.scheduler", GOT_DIFFER, "none", "kkkk", {"guest/disk/scheduler", value});
	ROW("guest.machine", GOT_DIFFER, "pc-q35-7.2", "kkkk", {"qmp/machine", value});
	/* room for fewer rows than there are */
	evidence = json_of(good);
	memset(rows, 0x55, sizeof(rows));
	assert_int_equal(ask("", "tcg", evidence, rows, 3), 3);
	assert_int_equal(rows[3].key[0], 0x55);
	assert_int_equal(ask("", "tcg", evidence, rows, 0), 0);
	json_decref(evidence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_keys_of_a_good_trial_match),
		cmocka_unit_test(a_guest_is_no_host),
		cmocka_unit_test(the_accelerator_is_what_qemu_says),
		cmocka_unit_test(vcpus_are_counted_on_both_sides),
		cmocka_unit_test(memory_is_what_qemu_says),
		cmocka_unit_test(the_cpu_is_the_type_of_the_first_vcpu),
		cmocka_unit_test(machine_and_binary_are_read_back),
		cmocka_unit_test(the_kernel_is_the_guests_release),
		cmocka_unit_test(the_sandbox_is_the_kernels_word),
		cmocka_unit_test(scheduler_and_start),
		cmocka_unit_test(affinities_are_the_kernels_word),
		cmocka_unit_test(memory_is_where_numa_maps_says),
		cmocka_unit_test(odd_evidence_is_survived),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
