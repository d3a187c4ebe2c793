// SPDX-License-Identifier: GPL-2.0-or-later
/* Bounded log of untrusted output. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "guest/sink.h"

int sink_open(struct sink *s, int fd, const char *path, struct err *e)
{
	*s = (struct sink){.fd = fd, .file = -1};
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	if (!path)
		return 0;
	s->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (s->file < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* Watches for the words with which Linux begins its last ones. */
static void sink_watch(struct sink *s, const char *buf, size_t n)
{
	static const char *const words[] = {"Kernel panic", "BUG: ", "Oops: ", "Out of memory"};

	for (; n && !*s->alarm; buf++, n--) {
		if (*buf >= ' ' && *buf < 0x7f && s->line_len < sizeof(s->line) - 1)
			s->line[s->line_len++] = *buf;
		if (*buf != '\n')
			continue;
		s->line[s->line_len] = 0;
		s->line_len = 0;
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (strstr(s->line, words[i]))
				memcpy(s->alarm, s->line, sizeof(s->alarm));
	}
}

static void sink_keep(struct sink *s, const char *buf, size_t n)
{
	if (s->file >= 0 && s->written < SINK_FILE_MAX) {
		size_t room = SINK_FILE_MAX - s->written;
		ssize_t w = write(s->file, buf, n < room ? n : room);

		/* a full disk is noticed elsewhere; the tail in memory still serves */
		if (w > 0)
			s->written += (size_t)w;
	}
	sink_watch(s, buf, n);
	if (n >= SINK_TAIL) {
		memcpy(s->tail, buf + n - SINK_TAIL, SINK_TAIL);
		s->tail_len = SINK_TAIL;
		return;
	}
	if (s->tail_len + n > SINK_TAIL) {
		size_t drop = s->tail_len + n - SINK_TAIL;

		memmove(s->tail, s->tail + drop, s->tail_len - drop);
		s->tail_len -= drop;
	}
	memcpy(s->tail + s->tail_len, buf, n);
	s->tail_len += n;
}

void sink_drain(struct sink *s)
{
	char buf[8192];
	int rounds = 64; /* a flood must not hold us here */

	while (s->fd >= 0 && rounds--) {
		ssize_t n = read(s->fd, buf, sizeof(buf));

		if (n > 0) {
			sink_keep(s, buf, (size_t)n);
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		close(s->fd);
		s->fd = -1;
	}
}

char *sink_tail(const struct sink *s, size_t max)
{
	size_t n = s->tail_len < max ? s->tail_len : max, i, o = 0;
	const char *from = s->tail + s->tail_len - n;
	char *out = xcalloc(n + 1, 1);

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)from[i];

		if (c == '\n' || (c >= ' ' && c < 0x7f))
			out[o++] = (char)c;
	}
	while (o && out[o - 1] == '\n')
		o--;
	out[o] = 0;
	return out;
}

const char *sink_alarm(const struct sink *s)
{
	return s->alarm;
}

void sink_close(struct sink *s)
{
	if (s->fd >= 0) {
		sink_drain(s);
		if (s->fd >= 0)
			close(s->fd);
	}
	if (s->file >= 0)
		close(s->file);
	s->fd = s->file = -1;
}
