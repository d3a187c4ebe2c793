/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's lock: who gets it, what others are told, and what a hostile file in its place can do.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "run/lock.h"

/* A folder like /tmp, two places in it. */
struct fixture {
	char dir[64], a[80], b[80];
	const char *places[RUN_LOCK_PLACES];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/vbench-lock-XXXXXX");
	if (!mkdtemp(f->dir) || chmod(f->dir, 01777) < 0)
		return -1;
	snprintf(f->a, sizeof(f->a), "%s/a", f->dir);
	snprintf(f->b, sizeof(f->b), "%s/b", f->dir);
	f->places[0] = f->a;
	f->places[1] = f->b;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->a);
	unlink(f->b);
	rmdir(f->a);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void get(const char *path, char text[256])
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, 255);

	assert_true(fd >= 0 && n >= 0);
	text[n] = '\0';
	close(fd);
}

/* cmocka's own skip() is "not ok" in its TAP. */
static bool may_be_others(void)
{
	if (geteuid() == 0)
		return true;
	print_message("# not root: other users can't be played\n");
	return false;
}

/* flock is by open file, so a second open in the same process stands for another process. */
static void second_is_told_who(void **state)
{
	struct fixture *f = *state;
	struct run_lock one, two;
	struct err e = {0};
	char pid[32];

	assert_int_equal(run_lock_take_at(&one, f->places, false, &e), 0);
	run_lock_note_at(&one, "nightly-7");
	assert_int_equal(run_lock_take_at(&two, f->places, false, &e), -EBUSY);
	snprintf(pid, sizeof(pid), "process %d ", (int)getpid());
	assert_non_null(strstr(e.text, pid));
	assert_non_null(strstr(e.text, "nightly-7"));
	assert_non_null(strstr(e.text, "--wait"));
	assert_int_equal(e.status, VB_NOT_MEASURED);
	run_lock_release_at(&one);
	assert_int_equal(run_lock_take_at(&two, f->places, false, NULL), 0);
	run_lock_release_at(&two);
	run_lock_release_at(&two); /* again: nothing */
}

static void file_is_for_everyone_whatever_the_umask(void **state)
{
	struct fixture *f = *state;
	struct run_lock l;
	struct stat st;
	mode_t old = umask(077);
	int rc = run_lock_take_at(&l, f->places, false, NULL);
	char text[256];

	umask(old);
	assert_int_equal(rc, 0);
	assert_int_equal(stat(f->a, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	run_lock_release_at(&l);
	/* it stays (a lock on a removed file locks nothing), but says nothing */
	get(f->a, text);
	assert_string_equal(text, "");
}

static void death_of_the_holder_frees_it(void **state)
{
	struct fixture *f = *state;
	struct run_lock l;
	int ready[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		byte = run_lock_take_at(&l, f->places, false, NULL) == 0 ? 'y' : 'n';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(run_lock_take_at(&l, f->places, false, NULL), -EBUSY);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(run_lock_take_at(&l, f->places, false, NULL), 0);
	run_lock_release_at(&l);
	close(ready[0]);
	close(ready[1]);
}

static void waiting_gets_it_when_it_is_free(void **state)
{
	struct fixture *f = *state;
	struct run_lock one, two;
	int status;
	pid_t pid;

	assert_int_equal(run_lock_take_at(&one, f->places, false, NULL), 0);
	pid = fork();
	if (pid == 0) {
		/* the inherited copies of the fds must not keep the lock */
		close(one.fd[0]);
		close(one.fd[1]);
		alarm(60);
		_exit(run_lock_take_at(&two, f->places, true, NULL) == 0 ? 0 : 1);
	}
	usleep(50000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	run_lock_release_at(&one);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void waiting_ends_at_a_pending_signal(void **state)
{
	struct fixture *f = *state;
	struct run_lock one;
	int status;
	pid_t pid;

	assert_int_equal(run_lock_take_at(&one, f->places, false, NULL), 0);
	pid = fork();
	if (pid == 0) {
		struct run_lock two;
		struct err e = {0};
		sigset_t s;

		/* as a process that takes its signals from a signalfd */
		sigemptyset(&s);
		sigaddset(&s, SIGTERM);
		sigprocmask(SIG_BLOCK, &s, NULL);
		alarm(60);
		raise(SIGTERM);
		_exit(run_lock_take_at(&two, f->places, true, &e) == -EINTR &&
				      e.status == VB_INTERRUPTED
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	run_lock_release_at(&one);
}

/* The other place serves, and someone who can only use that one is still met there. */
static void one_place_is_enough(void **state)
{
	struct fixture *f = *state;
	const char *const only_b[] = {"/nonexistent/x", f->b};
	struct run_lock one, two;

	assert_int_equal(mkdir(f->a, 0755), 0);
	assert_int_equal(run_lock_take_at(&one, f->places, false, NULL), 0);
	assert_int_equal(one.fd[0], -1);
	assert_int_equal(run_lock_take_at(&two, only_b, false, NULL), -EBUSY);
	run_lock_release_at(&one);
}

static void no_place_is_an_error(void **state)
{
	const char *const none[] = {"/nonexistent/x", "/nonexistent/y"};
	struct run_lock l;
	struct err e = {0};

	(void)state;
	assert_int_equal(run_lock_take_at(&l, none, false, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent/x"));
}

static void links_are_not_followed(void **state)
{
	struct fixture *f = *state;
	char target[80], text[256];
	struct run_lock l;

	snprintf(target, sizeof(target), "%s/target", f->dir);
	put(target, "precious", 0666);
	assert_int_equal(symlink(target, f->a), 0);
	assert_int_equal(link(target, f->b), 0);
	assert_true(run_lock_take_at(&l, f->places, false, NULL) < 0);
	get(target, text);
	assert_string_equal(text, "precious");
	unlink(target);
}

/* Locked, but not written to: it could be a file that its owner relies on. As root even a 0600 file
 * opens. */
static void guarded_files_of_others_keep_their_content(void **state)
{
	struct fixture *f = *state;
	struct run_lock one, two;
	char text[256];

	if (!may_be_others())
		return;
	put(f->a, "precious", 0644);
	assert_int_equal(chown(f->a, 65534, 65534), 0);
	assert_int_equal(run_lock_take_at(&one, f->places, false, NULL), 0);
	run_lock_note_at(&one, "x");
	assert_true(one.fd[0] >= 0);
	assert_int_equal(run_lock_take_at(&two, f->places, false, NULL), -EBUSY);
	run_lock_release_at(&one);
	get(f->a, text);
	assert_string_equal(text, "precious");
}

static void fifo_does_not_hang(void **state)
{
	struct fixture *f = *state;
	struct run_lock l;

	assert_int_equal(mkfifo(f->a, 0666), 0);
	alarm(30);
	assert_int_equal(run_lock_take_at(&l, f->places, false, NULL), 0);
	alarm(0);
	assert_int_equal(l.fd[0], -1);
	run_lock_release_at(&l);
}

static void holder_text_is_data(void **state)
{
	struct fixture *f = *state;
	struct run_lock one, two;
	struct err e = {0};

	assert_int_equal(run_lock_take_at(&one, f->places, false, NULL), 0);
	put(f->a, "evil\033[2J\x01 100 %s %n\nsecond line", 0666);
	assert_int_equal(run_lock_take_at(&two, f->places, false, &e), -EBUSY);
	assert_non_null(strstr(e.text, "evil?[2J? 100 %s %n;"));
	assert_null(strstr(e.text, "second line"));
	run_lock_release_at(&one);
}

/* Root and another user in a sticky folder, both ways round: fs.protected_regular and modes must
 * not split them. */
static void users_exclude_each_other(void **state)
{
	struct fixture *f = *state;

	if (!may_be_others())
		return;
	for (int root_first = 0; root_first < 2; root_first++) {
		int ready[2], status;
		char byte;
		pid_t pid;
		struct run_lock l;

		unlink(f->a);
		unlink(f->b);
		assert_int_equal(pipe(ready), 0);
		pid = fork();
		if (pid == 0) {
			if (root_first && setuid(65534) < 0)
				_exit(2);
			/* root_first: waits for the parent to hold it; else holds it itself, as
			 * another user */
			if (root_first && read(ready[0], &byte, 1) != 1)
				_exit(3);
			if (!root_first && setuid(65534) < 0)
				_exit(2);
			status = run_lock_take_at(&l, f->places, false, NULL);
			if (root_first)
				_exit(status == -EBUSY ? 0 : 4);
			if (status < 0 || write(ready[1], "y", 1) != 1)
				_exit(5);
			pause();
		}
		if (root_first) {
			assert_int_equal(run_lock_take_at(&l, f->places, false, NULL), 0);
			/* the child inherited nothing: it was forked before */
			assert_int_equal(write(ready[1], "y", 1), 1);
			assert_int_equal(waitpid(pid, &status, 0), pid);
			assert_true(WIFEXITED(status));
			assert_int_equal(WEXITSTATUS(status), 0);
			run_lock_release_at(&l);
		} else {
			assert_int_equal(read(ready[0], &byte, 1), 1);
			assert_int_equal(run_lock_take_at(&l, f->places, false, NULL), -EBUSY);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
		close(ready[0]);
		close(ready[1]);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(second_is_told_who),
		T(file_is_for_everyone_whatever_the_umask),
		T(death_of_the_holder_frees_it),
		T(waiting_gets_it_when_it_is_free),
		T(waiting_ends_at_a_pending_signal),
		T(one_place_is_enough),
		T(no_place_is_an_error),
		T(links_are_not_followed),
		T(guarded_files_of_others_keep_their_content),
		T(fifo_does_not_hang),
		T(holder_text_is_data),
		T(users_exclude_each_other),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
