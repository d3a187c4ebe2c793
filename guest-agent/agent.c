/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PID 1 of the small guest: sets it up, then does what the host asks over the port, and never
 * exits.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest-agent/agent.h"

#define DISK_STEP_NS (5 * MS_NS) /* how often a disk that has not come is looked for */
#define HANGUP_MS 10 /* how often a host that has gone is looked for: poll would return at once */
#define SILENCE_NS \
	(3000 * MS_NS) /* half a frame and then nothing for so long: it will not be finished */
#define ENTROPY_MAX 64

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/*
 * All guests restored from one template share its clock and its random pool: until the host's time
 * and entropy are in, they are one guest.
 */
static const char *hello_entropy(const char *hex)
{
	struct {
		struct rand_pool_info info;
		uint8_t bytes[ENTROPY_MAX];
	} pool = {0};
	uint8_t *to = (uint8_t *)pool.info.buf;
	size_t n = strlen(hex);
	int fd, rc;

	if (n % 2 || n > 2 * ENTROPY_MAX)
		return "entropy must be an even number of hex digits, at most 128";
	for (size_t i = 0; i < n; i += 2) {
		int hi = hex_digit(hex[i]), lo = hex_digit(hex[i + 1]);

		if (hi < 0 || lo < 0)
			return "entropy must be lower-case hex digits";
		to[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	if (!n)
		return NULL;
	pool.info.buf_size = (int)(n / 2);
	pool.info.entropy_count = (int)(n / 2) * 8;
	fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return "no /dev/urandom";
	rc = ioctl(fd, RNDADDENTROPY, &pool) || ioctl(fd, RNDRESEEDCRNG);
	close(fd);
	return rc ? "the kernel took no entropy" : NULL;
}

static void on_hello(struct agent *a, uint16_t seq, const json_t *args)
{
	const char *hex = json_string_value(json_object_get(args, "entropy")), *why;
	json_int_t ns = json_integer_value(json_object_get(args, "time_ns"));
	json_t *body;

	if (ns > 0) {
		struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

		clock_settime(CLOCK_REALTIME, &t);
	}
	/*
	 * A disk that is there already may have been looked at (for partitions) when the template
	 * was made, with another image: what was read then is not to be believed.
	 */
	if (disk_any(""))
		sys_write("/proc/sys/vm/drop_caches", "1");
	why = hex ? hello_entropy(hex) : NULL;
	if (why) {
		port_error(&a->port, seq, "%s", why);
		return;
	}
	body = json_object();
	json_object_set_new(body, "version", json_integer(WIRE_VERSION));
	json_object_set_new(body, "agent", json_string(AGENT_NAME));
	json_object_set_new(body, "boot_id", sys_json_text("/proc/sys/kernel/random/boot_id"));
	port_send(&a->port, WIRE_REPLY, seq, body);
}

static void on_facts(struct agent *a, uint16_t seq, const json_t *args)
{
	(void)args;
	port_send(&a->port, WIRE_REPLY, seq, facts_guest("", a->fio_version));
}

/* Looks for the disk that was asked for; answers when it is there or too late. */
static void disk_tick(struct agent *a)
{
	uint64_t now = sys_mono_ns();
	char name[DISK_NAME_MAX], buf[512];
	int rc = 0;

	if (!a->wait.active || now < a->wait.next_ns)
		return;
	if (!disk_find("", a->wait.serial, a->wait.pci, name)) {
		a->wait.next_ns = now + DISK_STEP_NS;
		if (now < a->wait.deadline_ns)
			return;
		a->wait.active = false;
		port_error(&a->port, a->wait.seq, "no disk %s \"%s\" appeared in time",
			   a->wait.serial[0] ? "with serial" : "at PCI address",
			   a->wait.serial[0] ? a->wait.serial : a->wait.pci);
		return;
	}
	if (a->wait.scheduler[0])
		rc = disk_set_scheduler("", name, a->wait.scheduler, buf, sizeof(buf));
	/* a queue whose folder is there but which is not registered yet (block/elevator.c): a
	 * moment later it is */
	if (rc == -ENOENT && now < a->wait.deadline_ns) {
		a->wait.next_ns = now + DISK_STEP_NS;
		return;
	}
	a->wait.active = false;
	if (rc) {
		port_error(&a->port, a->wait.seq, "%s", buf);
		return;
	}
	/* one of several stays one of them */
	if (!disk_set_has(&a->disks, name)) {
		disk_set_clear(&a->disks);
		disk_set_add(&a->disks, name);
	}
	port_send(&a->port, WIRE_REPLY, a->wait.seq, disk_facts("", name, a->wait.serial));
}

static void on_disk(struct agent *a, uint16_t seq, const json_t *args)
{
	const char *serial = json_string_value(json_object_get(args, "serial"));
	const char *pci = json_string_value(json_object_get(args, "pci"));
	const char *scheduler = json_string_value(json_object_get(args, "scheduler"));
	json_int_t ms = json_integer_value(json_object_get(args, "timeout_ms"));

	serial = serial ? serial : "";
	pci = pci ? pci : "";
	if ((!serial[0] && !pci[0]) || strlen(serial) >= sizeof(a->wait.serial) ||
	    strlen(pci) >= sizeof(a->wait.pci) ||
	    (scheduler && strlen(scheduler) >= sizeof(a->wait.scheduler))) {
		port_error(&a->port, seq,
			   "a disk request needs a serial or a PCI address (and names are short)");
		return;
	}
	if (a->wait.active) {
		port_error(&a->port, seq, "a disk is being waited for already");
		return;
	}
	a->wait.active = true;
	a->wait.seq = seq;
	a->wait.next_ns = 0;
	a->wait.deadline_ns = sys_mono_ns() + (ms > 0 && ms < 86400000 ? (uint64_t)ms : 0) * MS_NS;
	strcpy(a->wait.serial, serial);
	strcpy(a->wait.pci, pci);
	strcpy(a->wait.scheduler, scheduler ? scheduler : "");
	disk_tick(a);
}

static void on_job(struct agent *a, uint16_t seq, const json_t *args)
{
	char buf[256];
	const char *why;

	why = a->fs.active   ? "a request about file systems is under way"
	      : a->job.stuck ? "processes of an earlier job still hang in the kernel"
			     : job_start(&a->job, seq, args, &a->disks, buf, sizeof(buf));
	if (why)
		port_error(&a->port, seq, "%s", why);
	else
		sys_say("job %u started", seq);
}

static void on_go(struct agent *a, uint16_t seq, const json_t *args)
{
	char buf[256];
	const char *why =
		job_go(&a->job, (uint16_t)json_integer_value(json_object_get(args, "seq")), buf,
		       sizeof(buf));
	json_t *body;

	if (why) {
		port_error(&a->port, seq, "%s", why);
		return;
	}
	body = json_object();
	json_object_set_new(body, "mono_ns", json_integer((json_int_t)sys_mono_ns()));
	port_send(&a->port, WIRE_REPLY, seq, body);
}

static void fs_request(struct agent *a, uint8_t type, uint16_t seq, const json_t *args)
{
	char buf[256];
	const char *why = a->job.active || a->job.stuck
				  ? "a job is running, or hangs in the kernel"
				  : fs_start(&a->fs, type, seq, args, buf, sizeof(buf));

	if (why)
		port_error(&a->port, seq, "%s", why);
}

static void on_fs_scan(struct agent *a, uint16_t seq, const json_t *args)
{
	fs_request(a, WIRE_FS_SCAN, seq, args);
}

static void on_fs_sum(struct agent *a, uint16_t seq, const json_t *args)
{
	fs_request(a, WIRE_FS_SUM, seq, args);
}

static void on_fs_free(struct agent *a, uint16_t seq, const json_t *args)
{
	fs_request(a, WIRE_FS_FREE, seq, args);
}

static void on_cancel(struct agent *a, uint16_t seq, const json_t *args)
{
	json_int_t which = json_integer_value(json_object_get(args, "seq"));

	/* A job that has just ended is no error: its RESULT is on the way. */
	if (a->job.active && which == a->job.seq)
		job_cancel(&a->job);
	if (a->fs.active && which == a->fs.seq)
		fs_cancel(&a->fs);
	port_send(&a->port, WIRE_REPLY, seq, json_object());
}

/* In a child: sync(2) on a disk that hangs must not hang us. */
static void on_sync(struct agent *a, uint16_t seq, const json_t *args)
{
	(void)args;
	if (a->sync_pid) {
		port_error(&a->port, seq, "a sync is under way already");
		return;
	}
	a->sync_pid = fork();
	if (!a->sync_pid) {
		sync();
		_exit(0);
	}
	a->sync_seq = seq;
	if (a->sync_pid < 0) {
		a->sync_pid = 0;
		port_error(&a->port, seq, "fork: %s", strerror(errno));
	}
}

static void on_poweroff(struct agent *a, uint16_t seq, const json_t *args)
{
	(void)args;
	port_send(&a->port, WIRE_REPLY, seq, json_object());
	a->poweroff = true;
}

static void dispatch(struct agent *a, const struct wire_frame *f)
{
	static const struct {
		uint8_t type;
		void (*fn)(struct agent *a, uint16_t seq, const json_t *args);
	} table[] = {
		{WIRE_HELLO, on_hello},	      {WIRE_FACTS, on_facts},
		{WIRE_DISK, on_disk},	      {WIRE_JOB, on_job},
		{WIRE_CANCEL, on_cancel},     {WIRE_SYNC, on_sync},
		{WIRE_POWEROFF, on_poweroff}, {WIRE_DISKS, disks_ask},
		{WIRE_FS_SCAN, on_fs_scan},   {WIRE_FS_SUM, on_fs_sum},
		{WIRE_FS_FREE, on_fs_free},   {WIRE_GO, on_go},
	};
	uint16_t seq = f->seq;
	json_error_t err;
	json_t *args;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].type != f->type)
			continue;
		args = json_loadb(f->payload, f->len, JSON_REJECT_DUPLICATES, &err);
		if (json_is_object(args))
			table[i].fn(a, seq, args);
		else
			port_error(&a->port, seq, "the payload is no JSON object: %s",
				   args ? "it is something else" : err.text);
		json_decref(args);
		return;
	}
	port_error(&a->port, seq, "no request has the type %u", f->type);
}

/*
 * Handles every whole frame that is there. Rubbish is reported once, and skipped to where a frame
 * may begin.
 */
static void frames_handle(struct agent *a)
{
	struct port *p = &a->port;
	struct wire_frame f;
	const char *why;
	int rc;

	while (!port_full(p) && (rc = wire_next(&p->in, &f, &why))) {
		if (rc > 0) {
			p->lost = false;
			dispatch(a, &f);
			continue;
		}
		if (!p->lost)
			port_error(p, 0, "%s", why);
		p->lost = true;
		wire_resync(&p->in);
	}
}

static void children_reap(struct agent *a)
{
	struct signalfd_siginfo si;
	int wstatus;
	pid_t pid;

	while (read(a->sig_fd, &si, sizeof(si)) > 0)
		;
	while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0) {
		job_reaped(&a->job, pid, wstatus);
		fs_reaped(&a->fs, pid, wstatus);
		if (pid != a->sync_pid)
			continue;
		a->sync_pid = 0;
		if (WIFEXITED(wstatus))
			port_send(&a->port, WIRE_REPLY, a->sync_seq, json_object());
		else
			port_error(&a->port, a->sync_seq, "the sync was ended together with a job");
	}
	a->children_left = !pid;
}

static int poll_timeout(const struct agent *a)
{
	uint64_t next = job_next_ns(&a->job), now = sys_mono_ns(), silence;

	if (a->wait.active && a->wait.next_ns < next)
		next = a->wait.next_ns;
	if (disks_next_ns(a) < next)
		next = disks_next_ns(a);
	if (fs_next_ns(&a->fs) < next)
		next = fs_next_ns(&a->fs);
	if (wire_pending(&a->port.in) && !port_full(&a->port)) {
		silence = a->port.in_ns + SILENCE_NS;
		next = silence < next ? silence : next;
	}
	if (a->port.hup && now + HANGUP_MS * MS_NS < next)
		next = now + HANGUP_MS * MS_NS;
	if (!a->ready_sent && !a->port.hup)
		return 0;
	if (next == UINT64_MAX)
		return -1;
	return next <= now ? 0 : (int)((next - now + MS_NS - 1) / MS_NS);
}

/* What poll said about the port, whether or not it was polled for. */
static void port_turn(struct agent *a)
{
	struct port *p = &a->port;
	struct pollfd pfd = {.fd = p->fd, .events = POLLIN};

	poll(&pfd, 1, 0);
	if (!port_full(p) && (pfd.revents & POLLIN) && port_read(p))
		poll(&pfd, 1, 0);
	frames_handle(a);
	if (pfd.revents & POLLHUP) {
		if (!p->hup)
			port_hangup(p);
	} else {
		p->hup = false;
		if (wire_pending(&p->in) && !port_full(p) &&
		    sys_mono_ns() >= p->in_ns + SILENCE_NS) {
			port_error(p, 0, "a frame was begun and not finished");
			wire_free(&p->in);
		}
	}
}

static void power_off(struct agent *a)
{
	struct timespec step = {.tv_nsec = 2 * (long)MS_NS};

	for (int i = 0; i < 500 && a->port.out_done < a->port.out_len; i++) {
		port_flush(&a->port);
		nanosleep(&step, NULL);
	}
	sys_say("power off");
	reboot(RB_POWER_OFF);
	sys_fatal("power off: %s", strerror(errno));
}

/* One turn: wait until something may have to be done, then do what has to be. */
static void agent_turn(struct agent *a)
{
	struct port *p = &a->port;
	struct pollfd fds[5] = {
		/* Without a host the port says POLLHUP at once, for ever: then it is left out. */
		{.fd = p->hup ? -1 : p->fd,
		 .events = (short)((port_full(p) ? 0 : POLLIN) |
				   (p->out_done < p->out_len ? POLLOUT : 0))},
		{.fd = a->sig_fd, .events = POLLIN},
		{.fd = a->job.text_fd, .events = POLLIN},
		{.fd = a->fs.fd, .events = POLLIN},
		{.fd = a->job.gate.ready_fd, .events = POLLIN},
	};

	poll(fds, sizeof(fds) / sizeof(fds[0]), poll_timeout(a));
	port_turn(a);
	if (fds[2].revents)
		job_text(&a->job);
	if (fds[3].revents)
		fs_text(&a->fs);
	if (fds[4].revents)
		job_gate(&a->job, p);
	children_reap(a);
	job_tick(&a->job, p, a->children_left);
	disk_tick(a);
	disks_tick(a);
	fs_tick(&a->fs, p);
	if (!a->ready_sent && !p->hup) {
		json_t *body = json_object();

		json_object_set_new(body, "version", json_integer(WIRE_VERSION));
		json_object_set_new(body, "agent", json_string(AGENT_NAME));
		port_send(p, WIRE_READY, 0, body);
		a->ready_sent = true;
	}
	port_flush(p);
	if (a->poweroff)
		power_off(a);
}

/* Asked once, before a template is saved, so that no trial pays for it. */
static void fio_version(char *out, size_t size)
{
	int fds[2], wstatus;
	ssize_t n = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		sys_fatal("pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		execl(AGENT_FIO, "fio", "--version", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	if (pid > 0) {
		n = read(fds[0], out, size - 1);
		waitpid(pid, &wstatus, 0);
	}
	close(fds[0]);
	out[n > 0 ? n : 0] = 0;
	out[strcspn(out, "\n")] = 0;
	if (!out[0])
		sys_fatal(AGENT_FIO " does not run");
}

int main(int argc, char **argv)
{
	struct agent a = {0};
	sigset_t set;

	/* Everything below takes this machine for its own: mounts, kill(-1), power off. */
	if (getpid() != 1 && argc && !strcmp(argv[0], "sh"))
		return gate_wait();
	if (getpid() != 1) {
		fprintf(stderr, "vbench-agent: runs as PID 1 of a vbench guest only\n");
		return 1;
	}
	boot_mount();
	sys_say("starting");
	boot_modules("/modules");
	signal(SIGPIPE, SIG_IGN);
	fio_version(a.fio_version, sizeof(a.fio_version));
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	a.sig_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	a.job.text_fd = -1;
	a.job.gate.ready_fd = a.job.gate.go_fd = -1;
	a.fs.fd = -1;
	if (a.sig_fd < 0)
		sys_fatal("signalfd: %s", strerror(errno));
	port_open(&a.port);
	sys_say("ready");
	for (;;)
		agent_turn(&a);
}
