/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Child processes: how they start, what they inherit, how they end. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/child.h"
#include "base/term.h"

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("sh", "-c", script)

static char *run(const char *const *argv)
{
	struct err e = {0};
	char *out = NULL;

	if (child_run(argv, NULL, 20000, &out, &e))
		fail_msg("%s", e.text);
	return out;
}

static void collects_output(void **state)
{
	char *out = run(SH("echo two >&2; echo one"));

	(void)state;
	assert_string_equal(out, "one\ntwo\n"); /* stderr behind stdout */
	free(out);
	out = run(ARGV("true"));
	assert_string_equal(out, "");
	free(out);
}

static void tells_exit_and_tail(void **state)
{
	struct err e = {0};
	char *out = (char *)1;

	(void)state;
	assert_int_equal(child_run(SH("echo cause >&2; exit 3"), NULL, 20000, &out, &e), -EIO);
	assert_null(out);
	assert_string_equal(e.text, "sh -c echo cause >&2; exit 3: exit status 3: cause");
	assert_int_equal(e.status, VB_NOT_MEASURED);
	child_run(SH("kill -SEGV $$"), NULL, 20000, NULL, &e);
	assert_non_null(strstr(e.text, "killed by SIGSEGV"));
	/* Only the end of much output, and the error's text holds it. */
	child_run(SH("seq 1 100000; exit 1"), NULL, 20000, NULL, &e);
	assert_non_null(strstr(e.text, "100000"));
	assert_true(strlen(e.text) < 1000);
}

static void tells_what_cannot_start(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(child_run(ARGV("vbench-no-such-program"), NULL, 1000, NULL, &e), -ENOENT);
	assert_non_null(strstr(e.text, "vbench-no-such-program"));
	assert_int_equal(child_run(ARGV("/etc/passwd"), NULL, 1000, NULL, &e), -EACCES);
	assert_int_equal(child_run(ARGV(""), NULL, 1000, NULL, &e), -EINVAL);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and no zombie stays */
	assert_int_equal(errno, ECHILD);
}

static void keeps_a_deadline(void **state)
{
	struct err e = {0};
	uint64_t t0 = clock_mono_ns();

	(void)state;
	/* Would take for ever; ignores SIGTERM; a grandchild holds the pipe. */
	assert_int_equal(child_run(SH("trap '' TERM; sleep 20 & while :; do sleep 20; done"), NULL,
				   100, NULL, &e),
			 -ETIMEDOUT);
	assert_true(clock_mono_ns() - t0 < 50000000000ULL);
	assert_non_null(strstr(e.text, "100 ms"));
}

static void bounds_output_without_blocking(void **state)
{
	char *out = run(SH("head -c 6000000 /dev/zero | tr '\\0' x"));

	(void)state;
	assert_int_equal(strlen(out), 4 << 20);
	free(out);
	/* A background process with the pipe open does not hold us up. */
	out = run(SH("sleep 100 & echo $!"));
	kill(atoi(out), SIGKILL);
	free(out);
}

/* Each open descriptor's number, from the child's own view. */
static void passes_only_what_is_kept(void **state)
{
	int extra = open("/dev/null", O_RDONLY);	    /* without O_CLOEXEC */
	int kept = open("/dev/zero", O_RDONLY | O_CLOEXEC); /* with */
	struct err e = {0};
	struct child c;
	int p[2], status;
	char text[400], want[40];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(child_start(&c,
				     &(struct child_opts){.argv = ARGV("find", "/proc/self/fd",
								       "-printf", "%f=%l\n"),
							  .in = -1,
							  .out = p[1],
							  .err = -1,
							  .keep = &kept,
							  .nkeep = 1},
				     &e),
			 0);
	close(p[1]);
	assert_int_equal(child_wait(&c, 20000, &status), 0);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	n = read(p[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	close(p[0]);
	snprintf(want, sizeof(want), "%d=/dev/zero\n", kept);
	assert_non_null(strstr(text, want));
	assert_non_null(strstr(text, "0=/dev/null\n"));
	assert_non_null(strstr(text, "2=/dev/null\n"));
	snprintf(want, sizeof(want), "%d=/dev/null\n", extra);
	assert_null(strstr(text, want));
	close(extra);
	close(kept);
}

/* stdout to 0's place and the like: 0, 1 and 2 swapped among themselves. */
static void arranges_overlapping_descriptors(void **state)
{
	struct err e = {0};
	int p[2], save0 = dup(0), save2 = dup(2), status;
	struct child c;
	char buf[8] = "";

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(dup2(p[1], 0), 0); /* our 0 is the pipe's write end */
	assert_int_equal(
		child_start(&c,
			    &(struct child_opts){
				    .argv = SH("echo a; echo b >&2"), .in = 2, .out = 0, .err = 0},
			    &e),
		0);
	assert_int_equal(child_wait(&c, 20000, &status), 0);
	dup2(save0, 0);
	dup2(save2, 2);
	close(save0);
	close(save2);
	assert_int_equal(read(p[0], buf, 4), 4);
	assert_string_equal(buf, "a\nb\n");
	close(p[0]);
	close(p[1]);
	assert_int_equal(child_start(&c,
				     &(struct child_opts){.argv = ARGV("true"),
							  .in = -1,
							  .out = -1,
							  .err = -1,
							  .keep = (const int[]){1},
							  .nkeep = 1},
				     &e),
			 -EINVAL);
	assert_int_equal(child_start(&c,
				     &(struct child_opts){.argv = ARGV("true"),
							  .in = -1,
							  .out = -1,
							  .err = -1,
							  .keep = (const int[]){999},
							  .nkeep = 1},
				     &e),
			 -EBADF);
	/* its own input, output and errors cannot be the socket it listens on; 0 is none */
	for (int fd = -1; fd < 3; fd++)
		assert_int_equal(child_start(&c,
					     &(struct child_opts){.argv = ARGV("true"),
								  .in = -1,
								  .out = -1,
								  .err = -1,
								  .activate = fd ? fd : -2},
					     &e),
				 -EINVAL);
}

static void waits_and_ends(void **state)
{
	struct err e = {0};
	struct child c;
	int status;

	(void)state;
	assert_int_equal(
		child_start(&c,
			    &(struct child_opts){
				    .argv = ARGV("sleep", "100"), .in = -1, .out = -1, .err = -1},
			    &e),
		0);
	assert_true(c.pid > 0 && c.pidfd >= 0);
	assert_true(c.start > 0 && c.start == child_start_time(c.pid));
	assert_int_equal(child_wait(&c, 10, &status), -ETIMEDOUT);
	child_end(&c, 20000, &status);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_int_equal(c.pid, 0);
	assert_int_equal(c.pidfd, -1);
	child_end(&c, 1000, &status); /* nothing happens */
	assert_int_equal(child_wait(&c, 10, &status), -ECHILD);
	assert_int_equal(child_start_time(0x7ffffff0), 0);
}

static void kills_what_ignores_sigterm(void **state)
{
	struct err e = {0};
	struct child c;
	int p[2], status;
	char ready;

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(
		child_start(&c,
			    &(struct child_opts){
				    .argv = SH("trap '' TERM; echo; while :; do sleep 1; done"),
				    .in = -1,
				    .out = p[1],
				    .err = -1},
			    &e),
		0);
	assert_int_equal(read(p[0], &ready, 1), 1);
	child_end(&c, 50, &status);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(p[0]);
	close(p[1]);
}

/* Ignored signals and masks would pass through exec (execve(2)). SigBlk and SigIgn of
 * /proc/PID/status. */
static void starts_with_clean_signals(void **state)
{
	const unsigned long long glibc = 3ull << 31;
	unsigned long long blocked, ignored;
	sigset_t block, old;
	char *out;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &old);
	out = run(ARGV("grep", "-E", "SigBlk|SigIgn", "/proc/self/status"));
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* 32 and 33 are glibc's own (nptl(7)): whoever started us may have had them ignored, and
	 * sigaction(2) does not let us change that */
	assert_int_equal(sscanf(out, "SigBlk:\t%llx\nSigIgn:\t%llx", &blocked, &ignored), 2);
	assert_true(!(blocked & ~glibc));
	assert_true(!(ignored & ~glibc));
	free(out);
}

static void gives_up_rights(void **state)
{
	struct child_user nobody = {.uid = 65534, .gid = 65534, .groups = {12345}, .ngroups = 1};
	struct err e = {0};
	char *out;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(child_run(SH("id -u; id -g; id -G; grep CapEff /proc/self/status"),
				   &nobody, 20000, &out, &e),
			 0);
	assert_string_equal(out, "65534\n65534\n65534 12345\nCapEff:\t0000000000000000\n");
	free(out);
}

static void unprivileged_can_ask_for_itself(void **state)
{
	struct child_user me = {.uid = geteuid(), .gid = getegid()};
	struct child_user ours = {.uid = (uid_t)-1};
	struct err e = {0};

	(void)state;
	assert_int_equal(child_run(ARGV("true"), &me, 20000, NULL, &e), 0);
	assert_int_equal(child_run(ARGV("true"), &ours, 20000, NULL, &e), 0);
}

/* A process of ours that starts a child, as uid or as itself, and is killed: the child must die
 * too. */
static void dies_with_parent(const struct child_user *user)
{
	int p[2], status;
	pid_t middle;
	char c;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	middle = fork();
	if (middle == 0) {
		struct child ch;

		/* The child holds the pipe open for as long as it lives. */
		if (child_start(&ch,
				&(struct child_opts){.argv = SH("echo; exec sleep 1000"),
						     .in = -1,
						     .out = p[1],
						     .err = -1,
						     .user = user},
				NULL))
			_exit(1);
		close(p[1]);
		pause();
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	kill(middle, SIGKILL);
	assert_int_equal(waitpid(middle, &status, 0), middle);
	alarm(60); /* instead of hanging for ever */
	assert_int_equal(read(p[0], &c, 1), 0);
	alarm(0);
	close(p[0]);
}

static void never_outlives_us(void **state)
{
	struct child_user nobody = {.uid = 65534, .gid = 65534};

	(void)state;
	dies_with_parent(NULL);
	if (!geteuid())
		dies_with_parent(&nobody); /* the change of uid clears what was set before it */
}

static void own_group_and_cwd(void **state)
{
	struct err e = {0};
	struct child c;
	int status;

	(void)state;
	assert_int_equal(child_start(&c,
				     &(struct child_opts){.argv = SH("test \"$(pwd)\" = /proc"),
							  .in = -1,
							  .out = -1,
							  .err = -1,
							  .cwd = "/proc",
							  .own_group = true},
				     &e),
			 0);
	assert_int_equal(getpgid(c.pid), c.pid);
	assert_int_equal(child_wait(&c, 20000, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(child_start(&c,
				     &(struct child_opts){.argv = ARGV("true"),
							  .in = -1,
							  .out = -1,
							  .err = -1,
							  .cwd = "/no/such"},
				     &e),
			 -ENOENT);
	assert_non_null(strstr(e.text, "folder"));
}

/* The name in /proc/PID/stat may look like the end of its field: "a) S 1". */
static void start_time_survives_odd_names(void **state)
{
	struct err e = {0};
	struct child c;
	uint64_t plain = child_start_time(getpid()), odd;

	(void)state;
	unlink("/tmp/vbench) R 1 (2 3");
	assert_int_equal(symlink("/bin/sleep", "/tmp/vbench) R 1 (2 3"), 0);
	assert_int_equal(
		child_start(&c,
			    &(struct child_opts){.argv = ARGV("/tmp/vbench) R 1 (2 3", "100"),
						 .in = -1,
						 .out = -1,
						 .err = -1},
			    &e),
		0);
	unlink("/tmp/vbench) R 1 (2 3");
	odd = child_start_time(c.pid);
	child_end(&c, 0, NULL);
	/* Started after us, and by less than a day: a neighbouring field would be far off. */
	assert_true(odd >= plain);
	assert_true(odd - plain < 86400ULL * (uint64_t)sysconf(_SC_CLK_TCK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collects_output),
		cmocka_unit_test(tells_exit_and_tail),
		cmocka_unit_test(tells_what_cannot_start),
		cmocka_unit_test(keeps_a_deadline),
		cmocka_unit_test(bounds_output_without_blocking),
		cmocka_unit_test(passes_only_what_is_kept),
		cmocka_unit_test(arranges_overlapping_descriptors),
		cmocka_unit_test(waits_and_ends),
		cmocka_unit_test(kills_what_ignores_sigterm),
		cmocka_unit_test(starts_with_clean_signals),
		cmocka_unit_test(gives_up_rights),
		cmocka_unit_test(unprivileged_can_ask_for_itself),
		cmocka_unit_test(never_outlives_us),
		cmocka_unit_test(own_group_and_cwd),
		cmocka_unit_test(start_time_survives_odd_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
