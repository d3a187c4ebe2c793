/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal of left-overs: what a process that is killed leaves, the next one clears; and nothing
 * else. */
#include <dirent.h>
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/child.h"
#include "base/file.h"
#include "base/journal.h"

static char *top;
static char heard[8192];

static int setup(void **state)
{
	char name[] = "/tmp/vbench-journal-XXXXXX";

	(void)state;
	heard[0] = '\0';
	top = mkdtemp(name) ? strdup(name) : NULL;
	return top && !chdir(top) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	if (chdir("/") ||
	    child_run((const char *[]){"rm", "-rf", top, NULL}, NULL, 10000, NULL, NULL))
		return -1;
	free(top);
	return 0;
}

static void told(const char *what, void *arg)
{
	(void)arg;
	/* The first sentences are enough. */
	if (strlen(heard) + strlen(what) + 2 > sizeof(heard))
		return;
	strcat(heard, what);
	strcat(heard, "\n");
}

static int sweep(void)
{
	struct err e = {0};
	int n = journal_sweep("j", told, NULL, &e);

	if (n < 0)
		print_error("# %s\n", e.text);
	return n;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static unsigned journals(void)
{
	DIR *d = opendir("j");
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *de; (de = readdir(d));)
		n += de->d_name[0] != '.';
	closedir(d);
	return n;
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	return pid;
}

/* Runs fn in a process that then dies without a chance to clean up. */
static void killed_after(void (*fn)(struct journal *j))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct journal *j;

		if (journal_open("j", &j, NULL))
			_exit(1);
		fn(j);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void check(int rc)
{
	if (rc)
		_exit(1);
}

static void leave_things(struct journal *j)
{
	check(journal_path(j, "image", NULL));
	check(journal_path(j, "run dir\n%", NULL));
	check(journal_path(j, "kept", NULL));
	check(journal_path(j, "never made", NULL));
	put("image", "x");
	put("kept", "x");
	check(dir_make("run dir\n%/sub", 0700, NULL));
	put("run dir\n%/sub/f", "x");
	journal_done_path(j, "kept");
}

static void clears_what_a_killed_process_left(void **state)
{
	(void)state;
	killed_after(leave_things);
	assert_true(path_exists("image"));
	assert_int_equal(journals(), 1);
	assert_int_equal(sweep(), 2);
	assert_false(path_exists("image"));
	assert_false(path_exists("run dir\n%"));
	assert_true(path_exists("kept"));
	assert_int_equal(journals(), 0);
	assert_non_null(strstr(heard, "/image"));
	assert_int_equal(sweep(), 0); /* once */
}

static void missing_folder_is_nothing_to_do(void **state)
{
	(void)state;
	assert_int_equal(sweep(), 0);
}

static void leaves_the_living_alone(void **state)
{
	struct err e = {0};
	struct journal *j;

	(void)state;
	put("image", "x");
	assert_int_equal(journal_open("j", &j, &e), 0);
	assert_int_equal(journal_path(j, "image", &e), 0);
	assert_int_equal(sweep(), 0);
	assert_true(path_exists("image"));
	journal_close(j);
	assert_false(path_exists("image"));
	assert_int_equal(journals(), 0);
}

static pid_t victim;

static void leave_process(struct journal *j)
{
	check(journal_pid(j, victim, NULL));
}

static void ends_left_over_processes(void **state)
{
	int status;

	(void)state;
	victim = sleeper();
	killed_after(leave_process);
	assert_int_equal(sweep(), 1);
	assert_int_equal(waitpid(victim, &status, 0), victim);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(sweep(), 0);
}

static void leave_done_process(struct journal *j)
{
	check(journal_pid(j, victim, NULL));
	journal_done_pid(j, victim);
}

static void end_sleeper(void)
{
	int status;

	/* Still ours, and alive until now. */
	assert_int_equal(waitpid(victim, &status, WNOHANG), 0);
	kill(victim, SIGKILL);
	waitpid(victim, &status, 0);
}

static void struck_out_processes_live(void **state)
{
	(void)state;
	victim = sleeper();
	killed_after(leave_done_process);
	assert_int_equal(sweep(), 0);
	end_sleeper();
}

/* Text of the only journal; edited and put back by the tests below. */
static char *journal_text(char *path, size_t size)
{
	DIR *d = opendir("j");
	char *text = NULL;

	for (struct dirent *de; (de = readdir(d));) {
		if (de->d_name[0] != '.')
			snprintf(path, size, "j/%s", de->d_name);
	}
	closedir(d);
	assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
	return text;
}

/* A number that has come to mean another process: the start time tells. */
static void recycled_numbers_live(void **state)
{
	char path[300], line[200], *text;

	(void)state;
	victim = sleeper();
	killed_after(leave_process);
	text = journal_text(path, sizeof(path));
	*(strchr(text, '\n') + 1) = '\0';
	snprintf(line, sizeof(line), "%s+pid %d %llu\n", text, (int)victim,
		 (unsigned long long)child_start_time(victim) + 1);
	put(path, line);
	free(text);
	assert_int_equal(sweep(), 0);
	end_sleeper();
}

/* After a reboot the same pid and start time can come about anew. */
static void pids_of_another_boot_live(void **state)
{
	char path[300], *text, *boot;

	(void)state;
	victim = sleeper();
	killed_after(leave_process);
	text = journal_text(path, sizeof(path));
	boot = strrchr(text, '-'); /* in the boot id's UUID */
	while (boot > strchr(text, '\n'))
		boot = memrchr(text, '-', (size_t)(boot - text));
	boot[1] = boot[1] == '0' ? '1' : '0';
	put(path, text);
	free(text);
	assert_int_equal(sweep(), 0);
	assert_int_equal(journals(), 0);
	end_sleeper();
}

static void leave_image(struct journal *j)
{
	put("image", "x");
	check(journal_path(j, "image", NULL));
}

static void other_machines_journals_stay(void **state)
{
	char path[300], *text, *machine;

	(void)state;
	killed_after(leave_image);
	text = journal_text(path, sizeof(path));
	machine = text + strlen("vbench-journal 1 ");
	*machine = *machine == 'z' ? 'y' : 'z';
	put(path, text);
	free(text);
	assert_int_equal(sweep(), 0);
	assert_true(path_exists("image"));
	assert_int_equal(journals(), 1);
}

/* Lines that no journal of ours holds: each alone must remove nothing that exists. */
static void odd_contents_do_no_harm(void **state)
{
	static const char *const lines[] = {
		"+path /\n",
		"+path //\n",
		"+path /tmp\n",
		"+path relative/image\n",
		"+path %2e%2e/image\n",
		"+path /tmp/../etc\n",
		"+path /tmp/./x\n",
		"+path /tmp//x\n",
		"+path /tmp/x/\n",
		"+path /tmp/%\n",
		"+path /tmp/%0\n",
		"+path /tmp/%zz\n",
		"+path /tmp/%00\n",
		"+path \n",
		"+path\n",
		"+pid 1 1\n",
		"+pid 0 1\n",
		"+pid -1 1\n",
		"+pid 99999999999999999999 1\n",
		"+pid 5\n",
		"+pid 5 6 7\n",
		"+\n",
		"-\n",
		"\n\n\n",
		"vbench-journal 1\n",
		"\xff\xfe\x01",
		"-path /never/recorded\n",
		"-pid 77 77\n",
	};
	char path[300], *text, *whole;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		killed_after(leave_image);
		text = journal_text(path, sizeof(path));
		*(strchr(text, '\n') + 1) = '\0';
		assert_true(asprintf(&whole, "%s%s", text, lines[i]) > 0);
		put(path, whole);
		free(whole);
		free(text);
		if (sweep() || !path_exists("image"))
			fail_msg("line %zu: %s", i, lines[i]);
		assert_int_equal(journals(), 0);
	}
}

/* The end of the writer tore the last line: what it announces has not come into being. */
static void torn_lines_do_not_count(void **state)
{
	char path[300], *text;

	(void)state;
	killed_after(leave_image);
	text = journal_text(path, sizeof(path));
	text[strlen(text) - 1] = '\0'; /* "+path /tmp/.../image" without its newline */
	put(path, text);
	free(text);
	assert_int_equal(sweep(), 0);
	assert_true(path_exists("image"));
	assert_int_equal(journals(), 0);
}

static void foreign_files_are_left_alone(void **state)
{
	char path[300], *text;

	(void)state;
	killed_after(leave_image);
	text = journal_text(path, sizeof(path));
	unlink(path);
	put("text", text);
	assert_int_equal(symlink("../text", "j/a.journal"), 0);
	assert_int_equal(link("text", "j/b.journal"), 0); /* a hard link may be another's file */
	put("j/c.journal", text);
	assert_int_equal(chmod("j/c.journal", 0666), 0); /* anybody could have written it */
	put("j/notes.txt", text);
	assert_int_equal(mkfifo("j/d.journal", 0600), 0);
	assert_int_equal(mkdir("j/e.journal", 0700), 0);
	put("j/f.journal", "not a journal\n");
	free(text);
	assert_int_equal(sweep(), 0);
	assert_true(path_exists("image"));
	assert_int_equal(journals(), 7);
}

static void leave_in_folder(struct journal *j)
{
	check(dir_make("images", 0700, NULL));
	put("images/precious", "x");
	check(journal_path(j, "images/precious", NULL));
}

/* A folder swapped for a link to somebody else's, between the kill and the sweep. */
static void never_follows_links(void **state)
{
	(void)state;
	killed_after(leave_in_folder);
	assert_int_equal(rename("images", "theirs"), 0);
	assert_int_equal(symlink("theirs", "images"), 0);
	assert_int_equal(sweep(), 0);
	assert_true(path_exists("theirs/precious"));
	assert_int_equal(journals(), 1); /* and it is tried again */
	assert_int_equal(unlink("images"), 0);
	assert_int_equal(rename("theirs", "images"), 0);
	assert_int_equal(sweep(), 1);
	assert_false(path_exists("images/precious"));
}

static void leave_behind_link(struct journal *j)
{
	check(dir_make("real", 0700, NULL));
	check(symlink("real", "images"));
	put("images/f", "x");
	check(journal_path(j, "images/f", NULL));
}

/* But a link that was in the path from the start is how the user named it. */
static void resolves_links_when_recording(void **state)
{
	(void)state;
	killed_after(leave_behind_link);
	assert_int_equal(sweep(), 1);
	assert_false(path_exists("real/f"));
}

static void refuses_what_is_never_ours(void **state)
{
	struct err e = {0};
	struct journal *j;

	(void)state;
	assert_int_equal(journal_open("j", &j, &e), 0);
	assert_int_equal(journal_path(j, "/", &e), -EINVAL);
	assert_int_equal(journal_path(j, "/tmp", &e), -EINVAL);
	assert_int_equal(journal_path(j, "no/../such", &e), -EINVAL);
	assert_int_equal(journal_pid(j, 1, &e), -ESRCH);
	assert_int_equal(journal_pid(j, 0x7ffffff0, &e), -ESRCH);
	journal_close(j);
	assert_true(path_exists("/tmp"));
}

static void is_private(void **state)
{
	struct err e = {0};
	struct journal *j;
	struct stat st;
	char path[300];

	(void)state;
	umask(0);
	assert_int_equal(journal_open("j", &j, &e), 0);
	umask(022);
	assert_int_equal(stat("j", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	free(journal_text(path, sizeof(path)));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	journal_close(j);
}

/* Makes and journals files without end, until killed. */
static void make_without_end(struct journal *j)
{
	char name[40];

	for (int i = 0;; i++) {
		snprintf(name, sizeof(name), "img%d", i);
		check(journal_path(j, name, NULL));
		put(name, "x");
		if (i % 3 == 0) {
			unlink(name);
			journal_done_path(j, name);
		}
	}
}

/* SIGKILL at any instant: nothing of what was made stays. */
static void survives_kills_at_any_instant(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		pid_t pid = fork();
		int status;
		DIR *d;

		if (pid == 0) {
			struct journal *j;

			check(journal_open("j", &j, NULL));
			make_without_end(j);
		}
		usleep((useconds_t)(500 + round * 1700));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		assert_true(sweep() >= 0);
		d = opendir(".");
		for (struct dirent *de; (de = readdir(d));) {
			if (!strncmp(de->d_name, "img", 3))
				fail_msg("%s stayed", de->d_name);
		}
		closedir(d);
		assert_true(!path_exists("j") || journals() == 0);
	}
}

/* A folder is known before it is there: the journal of one who was killed right after names it. */
static void folders_are_known_beforehand(void **state)
{
	char *prefix = xasprintf("%s/f-", top), *dir = xasprintf("%s/j", top), *a, *b;
	struct journal *j;
	struct err e = {0};
	struct stat st;
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	if (!pid) {
		if (!journal_open(dir, &j, &e) && !journal_folder(j, prefix, &a, &e))
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(journal_sweep(dir, NULL, NULL, &e), 1);
	/* without a journal; private; no two alike; the rest is the folder's own */
	assert_int_equal(journal_folder(NULL, prefix, &a, &e), 0);
	assert_int_equal(journal_folder(NULL, prefix, &b, &e), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), strlen(prefix) + 16);
	assert_int_equal(stat(a, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	free(a);
	free(b);
	free(prefix);
	/* where none can be made nothing is recorded */
	prefix = xasprintf("%s/not/there/f-", top);
	assert_int_equal(journal_open(dir, &j, &e), 0);
	assert_int_equal(journal_folder(j, prefix, &a, &e), -ENOENT);
	assert_null(a);
	journal_close(j);
	free(prefix);
	free(dir);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(clears_what_a_killed_process_left),
		T(missing_folder_is_nothing_to_do),
		T(leaves_the_living_alone),
		T(ends_left_over_processes),
		T(struck_out_processes_live),
		T(recycled_numbers_live),
		T(pids_of_another_boot_live),
		T(other_machines_journals_stay),
		T(odd_contents_do_no_harm),
		T(torn_lines_do_not_count),
		T(foreign_files_are_left_alone),
		T(never_follows_links),
		T(resolves_links_when_recording),
		T(refuses_what_is_never_ours),
		T(is_private),
		T(survives_kills_at_any_instant),
		T(folders_are_known_beforehand),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
