// SPDX-License-Identifier: GPL-2.0-or-later
/* A vhost-user server's life: sockets, placeholders, early death, report, end. Servers are small
 * shell scripts; expected values are written out by hand. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "guest/server.h"

struct place {
	char folder[32];
	struct journal *journal;
	char *journal_dir;
};

static int setup(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	strcpy(p->folder, "/tmp/server-XXXXXX");
	if (!mkdtemp(p->folder))
		return -1;
	p->journal_dir = xasprintf("%s/journal", p->folder);
	*state = p;
	return journal_open(p->journal_dir, &p->journal, NULL);
}

static int teardown(void **state)
{
	struct place *p = *state;

	journal_close(p->journal);
	dir_remove(p->folder, NULL);
	free(p->journal_dir);
	free(p);
	return 0;
}

static int start(struct place *p, struct server **s, char *script, bool listens, bool reports,
		 struct err *e)
{
	char *argv[] = {"bash", "-c", script, "server", "{sock}", "--to={report}", NULL};
	struct disk_server plan = {
		.argv = argv, .what = "the test's server", .listens = listens, .reports = reports};

	return server_start(s, &plan, NULL, p->journal, p->folder, e);
}

static char *artefact(struct place *p, const char *name)
{
	char *path = xasprintf("%s/%s", p->folder, name), *text = NULL;

	file_read(path, 65536, &text, NULL);
	free(path);
	return text;
}

static void fills_in_words(void **state)
{
	char *t;

	(void)state;
	t = server_text("a={sock},b={report}{sock}", 17, "/r/x.json");
	assert_string_equal(t, "a=17,b=/r/x.json17");
	free(t);
	t = server_text("{report} {soc", 3, NULL);
	assert_string_equal(t, "{report} {soc");
	free(t);
}

/* Bytes go both ways, and closing our copy is the end of its input. */
static void talks_over_its_socket(void **state)
{
	struct place *p = *state;
	struct server *s = NULL;
	struct pollfd gone;
	struct err e = {0};
	char buf[32] = "", *t;

	assert_int_equal(start(p, &s,
			       "read -u $1 x; echo \"<$x>\" >&$1; cat <&$1 >/dev/null; exit 7",
			       false, false, &e),
			 0);
	assert_true(server_alive(s));
	assert_int_equal(server_check(s, &e), 0);
	assert_true(server_sock(s) >= 3);
	assert_true(fcntl(server_sock(s), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(send(server_sock(s), "hello\n", 6, 0), 6);
	assert_int_equal(recv(server_sock(s), buf, 8, MSG_WAITALL), 8);
	assert_string_equal(buf, "<hello>\n");
	gone = (struct pollfd){.fd = server_pidfd(s), .events = POLLIN};
	server_sock_given(s);
	assert_int_equal(server_sock(s), -1);
	assert_int_equal(poll(&gone, 1, 20000), 1);
	assert_false(server_alive(s));
	assert_int_equal(server_check(s, &e), -ECONNRESET);
	assert_non_null(strstr(e.text, "the test's server"));
	assert_non_null(strstr(e.text, "exit status 7"));
	assert_null(server_report(s));
	server_stop(s);
	t = artefact(p, "server.txt");
	assert_non_null(t);
	assert_non_null(strstr(t, "bash -c"));
	assert_null(strstr(t, "{sock}"));
	free(t);
}

/* Its peer went first: no fault of its own. Before that it would be one. */
static void may_end_after_its_peer(void **state)
{
	struct place *p = *state;
	struct server *s = NULL;
	struct pollfd gone;
	struct err e = {0};

	assert_int_equal(start(p, &s, "cat <&$1 >/dev/null", false, false, &e), 0);
	gone = (struct pollfd){.fd = server_pidfd(s), .events = POLLIN};
	server_sock_given(s);
	assert_int_equal(poll(&gone, 1, 20000), 1);
	assert_int_equal(server_check(s, &e), 0);
	assert_false(server_alive(s));
	server_stop(s);
	assert_int_equal(start(p, &s, "exit 0", false, false, &e), -ECONNRESET);
	assert_non_null(strstr(e.text, "exit status 0"));
}

/* The script stands for any program that can only accept(). */
static void listens(void **state)
{
	struct place *p = *state;
	struct server *s = NULL;
	struct err e = {0};
	char buf[32] = "";
	int rc = start(p, &s,
		       "exec perl -MSocket -e 'open(my $l, \"+<&=\", $ARGV[0]) or die $!;"
		       "accept(my $c, $l) or die $!; sysread($c, my $b, 5); syswrite($c, uc $b);"
		       "sleep 60' $1",
		       true, false, &e);

	assert_int_equal(rc, 0);
	assert_int_equal(send(server_sock(s), "knock", 5, 0), 5);
	assert_int_equal(recv(server_sock(s), buf, 5, MSG_WAITALL), 5);
	assert_string_equal(buf, "KNOCK");
	server_stop(s);
}

static void says_why_it_died(void **state)
{
	struct place *p = *state;
	struct server *s = (struct server *)1;
	struct err e = {0};

	assert_int_equal(start(p, &s, "echo no such export >&2; exit 3", false, false, &e),
			 -ECONNRESET);
	assert_null(s);
	assert_non_null(strstr(e.text, "exit status 3"));
	assert_non_null(strstr(e.text, "no such export"));
}

static void says_what_is_no_program(void **state)
{
	struct place *p = *state;
	char *argv[] = {"/nonexistent/server", NULL};
	struct disk_server plan = {.argv = argv, .what = "nothing"};
	struct server *s = NULL;
	struct err e = {0};

	assert_int_equal(server_start(&s, &plan, NULL, p->journal, p->folder, &e), -ENOENT);
	assert_null(s);
	assert_non_null(strstr(e.text, "/nonexistent/server"));
}

static void reads_its_report(void **state)
{
	struct place *p = *state;
	struct server *s = NULL;
	struct err e = {0};
	json_t *v;
	char *t;

	assert_int_equal(
		start(p, &s,
		      "f=${2#--to=}; echo '{\"queues\": [1, 2]}' >$f;"
		      "trap 'echo \"{\\\"last\\\": 1}\" >$f; exit' TERM; while :; do sleep 0.05; done",
		      false, true, &e),
		0);
	v = server_report(s);
	assert_int_equal(json_array_size(json_object_get(v, "queues")), 2);
	json_decref(v);
	server_stop(s);
	t = artefact(p, "server.json");
	assert_non_null(t);
	assert_non_null(strstr(t, "\"last\": 1"));
	free(t);
	t = xasprintf("%s/server", p->folder);
	assert_false(path_exists(t)); /* the folder it could write to */
	free(t);
}

/* Whatever it leaves there, we neither hang nor follow it. */
static void distrusts_its_report(void **state)
{
	struct place *p = *state;
	char *scripts[] = {
		"mkfifo ${2#--to=}; sleep 60",
		"ln -s /proc/self/environ ${2#--to=}; sleep 60",
		"echo '{\"half\": ' >${2#--to=}; sleep 60",
		"echo '[1]' >${2#--to=}; sleep 60",
		"mkdir ${2#--to=}; sleep 60",
		"truncate -s 2M ${2#--to=}; sleep 60",
	};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		struct server *s = NULL;
		struct err e = {0};
		json_t *v;

		assert_int_equal(start(p, &s, scripts[i], false, true, &e), 0);
		v = server_report(s);
		if (v)
			fail_msg("%s", scripts[i]);
		server_stop(s);
	}
}

/* 300 kB into a pipe of 64 KiB that nobody empties: it goes on, and its file stays small. */
static void survives_a_flood(void **state)
{
	struct place *p = *state;
	struct server *s = NULL;
	struct err e = {0};
	char buf[8] = "";

	assert_int_equal(start(p, &s,
			       "head -c 300000 /dev/zero | tr '\\0' x 2>/dev/null; echo done >&$1;"
			       "cat <&$1 >/dev/null",
			       false, false, &e),
			 0);
	assert_int_equal(recv(server_sock(s), buf, 5, MSG_WAITALL), 5);
	assert_string_equal(buf, "done\n");
	server_stop(s);
}

/* A deaf one is killed, and struck out of the journal. */
static void ends_a_deaf_one(void **state)
{
	struct place *p = *state;
	struct server *s = NULL;
	struct err e = {0};
	char path[64];
	pid_t pid = 0;

	assert_int_equal(start(p, &s, "trap '' TERM; echo $$ >&$1; while :; do sleep 1; done",
			       false, false, &e),
			 0);
	memset(path, 0, sizeof(path));
	assert_true(recv(server_sock(s), path, sizeof(path) - 1, 0) > 0);
	pid = atoi(path);
	assert_true(pid > 1);
	assert_true(server_cpu(s) > 0);
	server_stop(s);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* sd_listen_fds(3): the socket is fd 3, LISTEN_FDS says how many, LISTEN_PID whose they are. */
static void hands_over_as_systemd_does(void **state)
{
	struct place *p = *state;
	char *argv[] = {"bash", "-c",
			"echo \"$LISTEN_FDS $(($LISTEN_PID == $$)) ${LISTEN_FDNAMES-unset}\"; "
			"for i in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$i ] && echo $i; done; "
			"stat -Lc %F /proc/$$/fd/3; sleep 60",
			NULL};
	struct disk_server plan = {.argv = argv, .what = "it", .listens = true, .activated = true};
	struct server *s;
	struct err e = {0};
	char *log;

	setenv("LISTEN_FDNAMES", "ours", 1);
	assert_int_equal(server_start(&s, &plan, NULL, p->journal, p->folder, &e), 0);
	unsetenv("LISTEN_FDNAMES");
	poll(NULL, 0, 300);
	assert_int_equal(server_check(s, &e), 0);
	server_stop(s);
	log = artefact(p, "server.log");
	assert_string_equal(log, "1 1 unset\n0\n1\n2\n3\nsocket\n");
	free(log);
}

/* Independent servers: the first 8 bytes of NBD's handshake are its magic (the NBD protocol,
 * "Fixed newstyle negotiation"). */
static void nbd_servers_greet(void **state)
{
	struct place *p = *state;
	char *image = xasprintf("%s/image", p->folder);
	char *kit[] = {"nbdkit", "--foreground", "null", "size=1M", NULL};
	char *nbd[] = {"qemu-nbd", "--persistent", "--shared=1", "--format=raw", image, NULL};
	char **servers[] = {kit, nbd};
	int fd = open(image, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	for (size_t i = 0; i < 2; i++) {
		struct disk_server plan = {
			.argv = servers[i], .what = "it", .listens = true, .activated = true};
		struct pollfd in = {.events = POLLIN};
		struct server *s;
		struct err e = {0};
		char magic[9] = "";
		int rc = server_start(&s, &plan, NULL, p->journal, p->folder, &e);

		if (rc)
			fail_msg("%s: %s", servers[i][0], e.text);
		in.fd = server_sock(s);
		assert_int_equal(poll(&in, 1, 20000), 1);
		assert_int_equal(read(in.fd, magic, 8), 8);
		assert_string_equal(magic, "NBDMAGIC");
		server_sock_given(s);
		server_stop(s);
	}
	free(image);
}

static void nothing_is_fine(void **state)
{
	(void)state;
	server_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_in_words),
		cmocka_unit_test_setup_teardown(talks_over_its_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(may_end_after_its_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(listens, setup, teardown),
		cmocka_unit_test_setup_teardown(says_why_it_died, setup, teardown),
		cmocka_unit_test_setup_teardown(says_what_is_no_program, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_its_report, setup, teardown),
		cmocka_unit_test_setup_teardown(distrusts_its_report, setup, teardown),
		cmocka_unit_test_setup_teardown(survives_a_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(ends_a_deaf_one, setup, teardown),
		cmocka_unit_test_setup_teardown(hands_over_as_systemd_does, setup, teardown),
		cmocka_unit_test_setup_teardown(nbd_servers_greet, setup, teardown),
		cmocka_unit_test(nothing_is_fine),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
