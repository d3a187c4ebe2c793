/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The progress bar; everything it shows is made harmless first, since guests and profiles name
 * things. */
#include <signal.h>
#include <sys/signalfd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "base/err.h"
#include "base/term.h"

enum {
	TERM_INTERVAL_NS = 100 * 1000 * 1000,
	TERM_BAR = 20,	 /* columns of the bar itself */
	TERM_LINE = 1024 /* bytes of a bar's line */
};

static int term_width(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col < 20)
		return 80;
	return ws.ws_col;
}

void term_init(struct term *t, bool quiet)
{
	const char *kind = getenv("TERM");

	*t = (struct term){.quiet = quiet, .width = 80};
	t->tty = isatty(STDERR_FILENO) && kind && *kind && strcmp(kind, "dumb");
	if (t->tty)
		t->width = term_width();
}

/* Length of the well-formed UTF-8 character at s, 0 if there is none. */
static size_t term_utf8(const unsigned char *s)
{
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Too long a form, surrogates, beyond U+10FFFF; and the C1 controls, which terminals obey.
	 */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ||
	    (s[0] == 0xc2 && s[1] < 0xa0))
		return 0;
	return n;
}

/* Copies from to out, controls as '?', at most columns characters; returns the columns taken. */
static int term_clean(const char *from, char *out, size_t size, int columns)
{
	const unsigned char *s = (const unsigned char *)from;
	size_t used = 0;
	int taken = 0;

	while (*s && taken < columns) {
		size_t n = *s < 0x80 ? 1 : term_utf8(s);

		if (used + (n ? n : 1) >= size)
			break;
		if (!n || *s < 0x20 || *s == 0x7f) {
			out[used++] = '?';
			s++;
		} else {
			memcpy(out + used, s, n);
			used += n;
			s += n;
		}
		taken++;
	}
	out[used] = '\0';
	return taken;
}

/* 1:05, 1:02:05 */
static void term_clock(uint64_t ns, char *buf, size_t size)
{
	unsigned long long s = ns / 1000000000ULL;

	if (s >= 3600)
		snprintf(buf, size, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(buf, size, "%llu:%02llu", s / 60, s % 60);
}

void term_bar(struct term *t, unsigned done, unsigned total, uint64_t elapsed_ns, uint64_t left_ns,
	      const char *what, bool force)
{
	char head[160], text[TERM_LINE], bar[TERM_BAR + 1], gone[32], left[32];
	uint64_t now = clock_mono_ns();
	int room, filled;

	if (!t->tty || t->quiet)
		return;
	if (!force && t->last_ns && now - t->last_ns < TERM_INTERVAL_NS)
		return;
	t->last_ns = now;
	t->width = term_width();
	if (done > total)
		done = total;
	filled = total ? (int)((uint64_t)done * TERM_BAR / total) : 0;
	memset(bar, '.', TERM_BAR);
	memset(bar, '#', (size_t)filled);
	bar[TERM_BAR] = '\0';
	term_clock(elapsed_ns, gone, sizeof(gone));
	term_clock(left_ns, left, sizeof(left));
	/* On a narrow terminal the figures matter more than the bar. */
	if (t->width >= 72)
		snprintf(head, sizeof(head), "[%s] %u/%u %s, %s left ", bar, done, total, gone,
			 left);
	else
		snprintf(head, sizeof(head), "%u/%u %s, %s left ", done, total, gone, left);
	/* One column stays free: a full last column makes some terminals wrap. */
	room = t->width - 1 - (int)strlen(head);
	text[0] = '\0';
	if (room > 0 && what)
		term_clean(what, text, sizeof(text), room);
	fprintf(stderr, "\r%.*s%s\033[K", t->width - 1, head, text);
	fflush(stderr);
	t->drawn = true;
}

void term_end(struct term *t)
{
	if (!t->drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	t->drawn = false;
	t->last_ns = 0;
}

void term_line(struct term *t, const char *fmt, ...)
{
	char *text, *clean;
	va_list ap;
	size_t len;
	int n;

	if (t->quiet)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = (size_t)n + 1;
	clean = xcalloc(len, 1);
	term_clean(text, clean, len, n);
	term_end(t);
	fprintf(stderr, "%s\n", clean);
	fflush(stderr);
	free(clean);
	free(text);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_real_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

static sigset_t stop_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return set;
}

int term_stop_fd(void)
{
	sigset_t set = stop_set();

	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void term_stop_release(void)
{
	sigset_t set = stop_set();

	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
