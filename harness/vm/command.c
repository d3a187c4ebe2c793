/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QEMU command in a text: split into words as a shell does it, with nothing run or expanded. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

struct words {
	char **list;
	size_t n;
};

struct lexer {
	const char *p, *end;
};

static void words_add(struct words *w, char *word)
{
	if (!(w->n & (w->n - 1)))
		w->list = xrealloc(w->list, w->n ? w->n * 2 : 1, sizeof(*w->list));
	w->list[w->n++] = word;
}

void words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

static void words_clear(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->list[i]);
	w->n = 0;
}

static char **words_end(struct words *w)
{
	words_add(w, NULL);
	return w->list;
}

/* What stands in the place of "\n" in $'...'; only the plain ones. */
static char ansi_escape(char c)
{
	return c == 'n' ? '\n' : c == 't' ? '\t' : c;
}

/*
 * One word in quotes or not, from l->p on (POSIX Shell Command Language, 2.2 Quoting). False: a
 * quote is not closed.
 */
static bool word_take(struct lexer *l, char *out, size_t *len)
{
	char quote = 0; /* ' or ", or $ for $'...' */

	for (; l->p < l->end; l->p++) {
		char c = *l->p;
		bool more = l->p + 1 < l->end;

		if (quote == '\'' || (quote == '$' && (c == '\'' || c != '\\'))) {
			if (c == '\'')
				quote = 0;
			else
				out[(*len)++] = c;
		} else if (c == '\\' && more) {
			c = *++l->p;
			if (c == '\n')
				continue;
			if (quote == '$')
				c = ansi_escape(c);
			else if (quote == '"' && !strchr("$`\"\\", c))
				out[(*len)++] = '\\';
			out[(*len)++] = c;
		} else if (c == '"') {
			quote = quote ? 0 : '"';
		} else if (!quote && c == '\'') {
			quote = '\'';
		} else if (!quote && c == '$' && more && l->p[1] == '\'') {
			quote = '$';
			l->p++;
		} else if (!quote && strchr(" \t\r\n;&|<>", c) && c) {
			return true;
		} else {
			out[(*len)++] = c;
		}
	}
	return !quote;
}

/* Blanks, and backslashes that end a line. */
static void blanks_skip(struct lexer *l)
{
	for (; l->p < l->end; l->p++) {
		if (*l->p == '\\' && l->p + 1 < l->end && l->p[1] == '\n')
			l->p++;
		else if (*l->p == '\\' && l->p + 2 < l->end && l->p[1] == '\r' && l->p[2] == '\n')
			l->p += 2;
		else if (*l->p != ' ' && *l->p != '\t' && *l->p != '\r')
			return;
	}
}

/* Index of the first word that is QEMU itself and not an argument of something else. */
static size_t program_find(const struct words *w)
{
	for (size_t i = 0; i < w->n && i < 64; i++)
		if (argv_is_qemu(w->list[i]))
			return i;
	return w->n;
}

/*
 * Reads one command: up to the end of its line, ";", "&" or "|". 0, or -EINVAL: a quote is open at
 * the end, -E2BIG: too many words. Redirections are left out.
 */
static int command_take(struct lexer *l, struct words *w)
{
	bool redirected = false;

	for (;;) {
		const char *start;
		size_t len = 0;
		char *word;
		bool closed;

		blanks_skip(l);
		if (l->p >= l->end)
			return 0;
		if (*l->p == '#') {
			while (l->p < l->end && *l->p != '\n')
				l->p++;
			continue;
		}
		if (strchr("\n;&|", *l->p) && *l->p) {
			l->p++;
			return 0;
		}
		if (*l->p == '<' || *l->p == '>') {
			redirected = true;
			while (l->p < l->end && strchr("<>&", *l->p) && *l->p)
				l->p++;
			continue;
		}
		start = l->p;
		word = xcalloc(1, (size_t)(l->end - start) + 1);
		closed = word_take(l, word, &len);
		word = xrealloc(word, len + 1, 1);
		word[len] = '\0';
		/* "2" of "2>file" is part of the redirection too. */
		if (redirected || (l->p < l->end && (*l->p == '>' || *l->p == '<') && len &&
				   len < 3 && strspn(word, "0123456789") == len))
			free(word);
		else
			words_add(w, word);
		redirected = false;
		if (!closed)
			return -EINVAL;
		if (w->n > ARGV_WORDS)
			return -E2BIG;
	}
}

/* /proc/N/cmdline kept in a file: words end with a NUL. */
static void nul_words(const char *text, size_t len, struct words *w)
{
	const char *end = text + len;

	for (const char *p = text; p < end && w->n <= ARGV_WORDS;) {
		size_t l = strnlen(p, (size_t)(end - p));

		words_add(w, strndup(p, l));
		p += l + 1;
	}
}

static void words_part(struct words *w, size_t at, char ***words, char ***before)
{
	struct words rest = {0}, front = {0};

	for (size_t i = 0; i < w->n; i++)
		words_add(i < at ? &front : &rest, w->list[i]);
	free(w->list);
	*words = words_end(&rest);
	words_end(&front);
	if (before)
		*before = front.list;
	else
		words_free(front.list);
}

int command_words(const char *text, size_t len, const char *from, char ***words, char ***before,
		  struct err *e)
{
	struct lexer l = {text, text + len};
	struct words w = {0};
	int rc = 0;
	size_t at = 0;

	*words = NULL;
	if (before)
		*before = NULL;
	if (memchr(text, 0, len)) {
		nul_words(text, len, &w);
		at = program_find(&w);
	} else {
		while (l.p < l.end) {
			rc = command_take(&l, &w);
			at = program_find(&w);
			if (rc || at < w.n)
				break;
			words_clear(&w);
		}
	}
	if (!rc && at < w.n) {
		words_part(&w, at, words, before);
		return 0;
	}
	words_clear(&w);
	free(w.list);
	if (rc == -EINVAL)
		return err_input(e, "%s: a quote is not closed at its end", from);
	if (rc == -E2BIG)
		return err_input(e, "%s: more than %d words in one command", from, ARGV_WORDS);
	return err_input(
		e,
		"%s: no QEMU command line in it; one begins with qemu-system-ARCH, qemu-kvm "
		"or kvm (as `qm showcmd` and `virsh domxml-to-native` print it)",
		from);
}

/* What stands in front of QEMU and decides where it runs. */
static void before_take(struct vm *vm, char *const *before)
{
	bool numactl = false, taskset = false;

	for (size_t i = 0; before[i]; i++) {
		const char *w = before[i], *eq = strchr(w, '=');
		char *cpus = NULL;

		if (!strcmp(w, "numactl") || !strcmp(w, "taskset")) {
			numactl = *w == 'n';
			taskset = *w == 't';
		} else if (taskset && (!strcmp(w, "-c") || !strcmp(w, "--cpu-list")) &&
			   before[i + 1]) {
			cpus = vm_cpus(before[i + 1]);
			if (cpus)
				vm_set(vm, VM_ASKED, cpus, "taskset", "cpuset");
		} else if (numactl && eq) {
			cpus = vm_cpus(eq + 1);
			if (cpus && !strncmp(w, "--physcpubind=", 14))
				vm_set(vm, VM_ASKED, cpus, "numactl", "cpuset");
			else if (cpus && !strncmp(w, "--membind=", 10)) {
				vm_set(vm, VM_ASKED, cpus, "numactl", "numatune.nodeset");
				vm_set(vm, VM_ASKED, "strict", "numactl", "numatune.mode");
			}
		}
		free(cpus);
	}
}

int vm_read_command(const char *text, size_t len, const char *from, struct vm **out, struct err *e)
{
	char **words, **before;
	int rc;

	*out = NULL;
	if (len > VM_TEXT_MAX)
		return err_input(e, "%s: longer than %u MiB; no command line is", from,
				 VM_TEXT_MAX >> 20);
	rc = command_words(text, len, from, &words, &before, e);
	if (rc)
		return rc;
	rc = vm_read_argv(words, from, out, e);
	if (!rc) {
		before_take(*out, before);
		for (size_t i = 0; words[i]; i++)
			if (strpbrk(words[i], "$`")) {
				vm_note(*out,
					"%s: \"%.100s\" is taken as it stands; variables of a "
					"shell are not expanded",
					from, words[i]);
				break;
			}
	}
	words_free(words);
	words_free(before);
	return rc;
}
