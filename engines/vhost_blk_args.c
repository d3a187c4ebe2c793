// SPDX-License-Identifier: GPL-2.0-or-later
// The command line of vbench-vhost-blk: every option checked, and what options say together.

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/units.h"
#include "engines/vhost_back.h"
#include "engines/vhost_blk.h"

const char args_usage[] =
	"usage: " VHOST_BLK " [OPTION...] --socket PATH | --fd N | --listen-fd N\n"
	"A vhost-user-blk back end: serves virtqueues of QEMU (vhost-user-blk-pci) or of fio's\n"
	"engine vring. SIGTERM and SIGINT end it.\n\n"
	"      --socket PATH         listen there; one client after the other\n"
	"      --listen-fd N         the same on an inherited listening socket\n"
	"      --fd N                serve an inherited connected socket, until its peer goes\n"
	"      --once                end with the first client\n"
	"      --serves KIND         null (default), memory, or file\n"
	"      --file PATH           the file or block device (implies --serves file)\n"
	"      --size SIZE           of the disk (default: 1G, or the file's)\n"
	"      --latency TIME        null: what each request takes (0)\n"
	"      --block-size SIZE     logical blocks, 512 to 4096 (512)\n"
	"      --read-only           offer a disk that cannot be written\n"
	"      --direct on|off       file: with O_DIRECT (on)\n"
	"      --id TEXT             serial number that the guest reads, up to 20 bytes\n"
	"      --queues N            how many queues there are at most (1)\n"
	"      --queue-size N        the ring that is expected: limits segments of a request (256)\n"
	"      --max-queue-size N    the largest ring that is taken (32768)\n"
	"      --wait MODE           eventfd (default), poll, or adaptive\n"
	"      --poll-ns N           adaptive: how long it polls before it sleeps (32768)\n"
	"      --cpu LIST            pin queue threads, in turn: 2 or 0,2-3\n"
	"      --no-packed           offer no packed ring,\n"
	"      --no-event-idx        no event index,\n"
	"      --no-indirect         no indirect descriptors\n"
	"      --report FILE         write JSON on clients, features and queues there\n"
	"  -h, --help                this text\n"
	"      --version             name and version\n";

static int parse_number(const char *option, const char *text, uint64_t min, uint64_t max,
			uint64_t *out, struct err *e)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || *out < min || *out > max)
		return err_input(e, "%s: \"%s\" is no number from %llu to %llu", option, text,
				 (unsigned long long)min, (unsigned long long)max);
	return 0;
}

static int parse_unsigned(const char *option, const char *text, uint64_t min, uint64_t max,
			  unsigned *out, struct err *e)
{
	uint64_t n = 0;
	int rc = parse_number(option, text, min, max, &n, e);

	*out = (unsigned)n;
	return rc;
}

static int parse_fd(const char *option, const char *text, bool listens, int *fd, struct err *e)
{
	int domain, accepts, type;
	socklen_t len = sizeof(int);
	uint64_t n;
	int rc = parse_number(option, text, 0, 1 << 20, &n, e);

	if (rc)
		return rc;
	*fd = (int)n;
	if (getsockopt(*fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) ||
	    getsockopt(*fd, SOL_SOCKET, SO_TYPE, &type, &len) ||
	    getsockopt(*fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) || domain != AF_UNIX ||
	    type != SOCK_STREAM)
		return err_input(e, "%s: descriptor %d is no UNIX stream socket", option, *fd);
	if (!accepts == listens)
		return err_input(e, "%s: socket %d %s; use %s", option, *fd,
				 accepts ? "listens" : "does not listen",
				 accepts ? "--listen-fd" : "--fd");
	fcntl(*fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

/* "0,2-3" */
static int parse_cpus(const char *list, struct args *a, struct err *e)
{
	const char *p = list;

	cpu_set_t ours;

	CPU_ZERO(&ours);
	sched_getaffinity(0, sizeof(ours), &ours);
	for (;;) {
		char *end;
		long first = strtol(p, &end, 10), last = first;

		if (*p < '0' || *p > '9')
			break;
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtol(end + 1, &end, 10);
		if (last < first || last >= CPU_SETSIZE)
			break;
		for (long cpu = first; cpu <= last; cpu++) {
			if (!CPU_ISSET((size_t)cpu, &ours))
				return err_input(e, "--cpu: this process may not run on CPU %ld",
						 cpu);
			if (a->ncpus == CPU_SETSIZE)
				return err_input(e, "--cpu: \"%s\" names too many", list);
			a->cpus[a->ncpus++] = (int)cpu;
		}
		if (!*end)
			return 0;
		if (*end != ',')
			break;
		p = end + 1;
	}
	return err_input(e, "--cpu: \"%s\" is no list of CPUs; write 2 or 0,2-3", list);
}

static int parse_word(const char *option, const char *text, const char *const *words, int *out,
		      struct err *e)
{
	char all[64] = "";

	for (int i = 0; words[i]; i++) {
		if (!strcmp(text, words[i])) {
			*out = i;
			return 0;
		}
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "",
			 words[i]);
	}
	return err_input(e, "%s: \"%s\" is none of %s", option, text, all);
}

static int parse_size(const char *option, const char *text, uint64_t *out, struct err *e)
{
	if (units_size(text, out) || !*out)
		return err_input(e, "%s: \"%s\" is no size; write 512, 64k or 1G", option, text);
	return 0;
}

enum option_id {
	O_SOCKET = 256,
	O_LISTEN_FD,
	O_FD,
	O_ONCE,
	O_SERVES,
	O_FILE,
	O_SIZE,
	O_LATENCY,
	O_BLOCK_SIZE,
	O_READ_ONLY,
	O_ID,
	O_QUEUE_SIZE,
	O_DIRECT_IO,
	O_QUEUES,
	O_MAX_SIZE,
	O_WAIT,
	O_POLL_NS,
	O_CPU,
	O_NO_PACKED,
	O_NO_EVENT_IDX,
	O_NO_INDIRECT,
	O_REPORT,
	O_VERSION,
};

static const struct option options[] = {
	{"socket", required_argument, NULL, O_SOCKET},
	{"listen-fd", required_argument, NULL, O_LISTEN_FD},
	{"fd", required_argument, NULL, O_FD},
	{"once", no_argument, NULL, O_ONCE},
	{"serves", required_argument, NULL, O_SERVES},
	{"file", required_argument, NULL, O_FILE},
	{"size", required_argument, NULL, O_SIZE},
	{"latency", required_argument, NULL, O_LATENCY},
	{"block-size", required_argument, NULL, O_BLOCK_SIZE},
	{"id", required_argument, NULL, O_ID},
	{"queue-size", required_argument, NULL, O_QUEUE_SIZE},
	{"read-only", no_argument, NULL, O_READ_ONLY},
	{"direct", required_argument, NULL, O_DIRECT_IO},
	{"queues", required_argument, NULL, O_QUEUES},
	{"max-queue-size", required_argument, NULL, O_MAX_SIZE},
	{"wait", required_argument, NULL, O_WAIT},
	{"poll-ns", required_argument, NULL, O_POLL_NS},
	{"cpu", required_argument, NULL, O_CPU},
	{"no-packed", no_argument, NULL, O_NO_PACKED},
	{"no-event-idx", no_argument, NULL, O_NO_EVENT_IDX},
	{"no-indirect", no_argument, NULL, O_NO_INDIRECT},
	{"report", required_argument, NULL, O_REPORT},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, O_VERSION},
	{NULL, 0, NULL, 0},
};

const char *const args_waits[] = {"poll", "eventfd", "adaptive", NULL};
const char *const args_kinds[] = {"null", "memory", "file", NULL};

static int option_disk(struct args *a, int id, struct err *e)
{
	static const char *const switches[] = {"off", "on", NULL};
	uint64_t n = 0;
	int word = 0, rc = 0;

	switch (id) {
	case O_SERVES:
		rc = parse_word("--serves", optarg, args_kinds, &word, e);
		a->disk.kind = (enum blk_kind)word;
		a->kind_given = true;
		break;
	case O_FILE:
		a->disk.path = optarg;
		break;
	case O_SIZE:
		rc = parse_size("--size", optarg, &a->disk.size, e);
		if (!rc && a->disk.size % 512)
			rc = err_input(e, "--size: \"%s\" is no multiple of 512 bytes", optarg);
		break;
	case O_LATENCY:
		if (units_time(optarg, &a->disk.latency_ns) ||
		    a->disk.latency_ns > UINT64_C(1000000000))
			rc = err_input(e, "--latency: \"%s\" is no time up to 1s; write 50us",
				       optarg);
		break;
	case O_BLOCK_SIZE:
		rc = parse_size("--block-size", optarg, &n, e);
		if (!rc && (n < 512 || n > 4096 || n & (n - 1)))
			rc = err_input(e, "--block-size: \"%s\" is none of 512, 1k, 2k, 4k",
				       optarg);
		a->disk.block_size = (unsigned)n;
		break;
	case O_ID:
		if (strlen(optarg) > 20)
			rc = err_input(e, "--id: \"%s\" has more than 20 bytes", optarg);
		a->disk.id = optarg;
		break;
	case O_DIRECT_IO:
		rc = parse_word("--direct", optarg, switches, &word, e);
		a->disk.direct = word;
		break;
	}
	return rc;
}

static int option_ring(struct args *a, int id, struct err *e)
{
	int word = 0, rc = 0;

	switch (id) {
	case O_READ_ONLY:
		a->disk.read_only = true;
		break;
	case O_NO_PACKED:
		a->disk.packed = false;
		break;
	case O_NO_EVENT_IDX:
		a->disk.event_idx = false;
		break;
	case O_NO_INDIRECT:
		a->disk.indirect = false;
		break;
	case O_QUEUES:
		rc = parse_unsigned("--queues", optarg, 1, BACK_QUEUES, &a->disk.queues, e);
		break;
	case O_QUEUE_SIZE:
		rc = parse_unsigned("--queue-size", optarg, 1, RING_MAX_SIZE, &a->disk.queue_size,
				    e);
		break;
	case O_MAX_SIZE:
		rc = parse_unsigned("--max-queue-size", optarg, 1, RING_MAX_SIZE, &a->max_size, e);
		break;
	case O_WAIT:
		rc = parse_word("--wait", optarg, args_waits, &word, e);
		a->wait = (enum ring_wait)word;
		break;
	case O_POLL_NS:
		rc = parse_number("--poll-ns", optarg, 0, UINT64_C(1000000000), &a->poll_ns, e);
		break;
	case O_CPU:
		rc = parse_cpus(optarg, a, e);
		break;
	default:
		rc = option_disk(a, id, e);
	}
	return rc;
}

static int option_take(struct args *a, int id, struct err *e)
{
	int rc = 0;

	switch (id) {
	case 'h':
		a->help = true;
		break;
	case O_VERSION:
		a->version = true;
		break;
	case O_SOCKET:
		a->socket = optarg;
		a->places++;
		break;
	case O_FD:
		rc = parse_fd("--fd", optarg, false, &a->fd, e);
		a->places++;
		break;
	case O_LISTEN_FD:
		rc = parse_fd("--listen-fd", optarg, true, &a->listen_fd, e);
		a->places++;
		break;
	case O_ONCE:
		a->once = true;
		break;
	case O_REPORT:
		a->report = optarg;
		break;
	case '?':
	case ':':
		/* getopt has said what */
		return err_input(e, "`" VHOST_BLK " --help` lists the options");
	default:
		rc = option_ring(a, id, e);
	}
	return rc;
}

/* What options say together. */
static int args_check(struct args *a, struct err *e)
{
	struct blkdev_opts *d = &a->disk;
	struct stat st;

	if (a->places != 1)
		return err_input(e, "%s; name one of --socket PATH, --fd N, --listen-fd N",
				 a->places ? "too many places to serve" : "no place to serve");
	if (d->path && !a->kind_given)
		d->kind = BLK_FILE;
	if (d->path && d->kind != BLK_FILE)
		return err_input(e, "--file goes with --serves file");
	if (!d->path && d->kind == BLK_FILE)
		return err_input(e, "--serves file needs --file PATH");
	if (d->latency_ns && d->kind != BLK_NULL)
		return err_input(e, "--latency goes with --serves null");
	if (!d->size && d->kind != BLK_FILE)
		d->size = UINT64_C(1) << 30;
	/* A rename would replace a device node. */
	if (a->report && !lstat(a->report, &st) && !S_ISREG(st.st_mode))
		return err_input(e, "--report: %s exists and is no regular file", a->report);
	return 0;
}

int args_parse(int argc, char **argv, struct args *a, struct err *e)
{
	int id, rc;

	*a = (struct args){
		.fd = -1,
		.listen_fd = -1,
		.max_size = RING_MAX_SIZE,
		.wait = WAIT_EVENTFD,
		.poll_ns = 32768,
		.disk = {.block_size = 512,
			 .queues = 1,
			 .direct = true,
			 .packed = true,
			 .event_idx = true,
			 .indirect = true},
	};
	while ((id = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		rc = option_take(a, id, e);
		if (rc || a->help || a->version)
			return rc;
	}
	if (optind < argc)
		return err_input(e, "\"%s\" is no option; `" VHOST_BLK " --help` lists them",
				 argv[optind]);
	return args_check(a, e);
}
