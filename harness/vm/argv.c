/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A QEMU command line, whoever made it: from its words to facts. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vm/internal.h"

/* Length of the UTF-8 character at p, 0: none. Only what jansson takes too: no overlong forms, no
 * surrogates (RFC 3629). */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	size_t len = p[0] < 0x80		   ? 1
		     : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		     : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
		     : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						   : 0;

	if (!len || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

char *vm_clean_text(const char *text, size_t len)
{
	char *out = xcalloc(1, len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		size_t l = utf8_length((const unsigned char *)text + i, len - i);

		if (l > 1) {
			memcpy(out + n, text + i, l);
			n += l;
		} else {
			unsigned char c = (unsigned char)text[i];

			out[n++] = l && c >= 0x20 && c != 0x7f ? (char)c : '?';
		}
		i += l ? l : 1;
	}
	return out;
}

bool argv_is_qemu(const char *path)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	return strstr(base, "qemu-system-") || !strncmp(base, "qemu-kvm", 8) ||
	       !strcmp(base, "kvm") || !strcmp(base, "kvm-spice") || !strcmp(base, "qemu");
}

/* How often an option has stood there: the number of the next. */
static unsigned option_count(const struct argv_reader *r, const char *name)
{
	unsigned n = 0;

	for (size_t i = r->nopts; i-- > 0 && n == 0;)
		if (!strcmp(r->opts[i].name, name))
			n = (unsigned)strtoul(strchr(r->opts[i].where, '#') + 1, NULL, 10);
	return n + 1;
}

/* argv_property and the like name options by "-device #3". */
static void option_take(struct argv_reader *r, const struct argv_option *row, const char *text)
{
	struct argv_opt *o = &r->opts[r->nopts];
	const char *name = row->same ? row->same : row->name;

	o->name = name;
	snprintf(o->where, sizeof(o->where), "-%s #%u", *row->name ? row->name : "hda",
		 option_count(r, name));
	if (text)
		o->text = vm_clean_text(text, strlen(text));
	r->nopts++;
	argv_opt_parse(r, o, row);
}

static bool looks_like_option(const char *word)
{
	return word && word[0] == '-' && word[1];
}

static void words_take(struct argv_reader *r, char *const *argv)
{
	for (size_t i = 1; argv[i]; i++) {
		const char *word = argv[i], *name = word;
		const struct argv_option *row;

		if (!looks_like_option(word)) {
			option_take(r, argv_option_find(""), word);
			continue;
		}
		name += word[1] == '-' ? 2 : 1;
		row = *name ? argv_option_find(name) : NULL;
		if (!row) {
			bool argument = argv[i + 1] && !looks_like_option(argv[i + 1]);

			argv_note(r, "option \"%.60s\" is not known; left aside%s", word,
				  argument ? " with what follows it" : "");
			i += argument;
			continue;
		}
		if (row->kind != ARGV_FLAG && !argv[i + 1]) {
			argv_note(r, "-%s: its argument is missing", row->name);
			break;
		}
		if (row->kind != ARGV_FLAG)
			i++;
		if (!row->ignored)
			option_take(r, row, row->kind != ARGV_FLAG ? argv[i] : NULL);
	}
}

/* -set GROUP.ID.KEY=VALUE: a key of an option that was named before. */
static void sets_apply(struct argv_reader *r)
{
	const struct argv_opt *s = NULL;

	while ((s = argv_next(r, "set", s))) {
		char *copy = xstrdup(s->text), *id = strchr(copy, '.');
		char *key = id ? strchr(id + 1, '.') : NULL, *eq = key ? strchr(key, '=') : NULL;
		const struct argv_opt *o = NULL;

		if (eq) {
			*id++ = *key++ = *eq++ = '\0';
			o = argv_by_id(r, copy, "id", id);
		}
		if (o)
			argv_opt_add(&r->opts[o - r->opts], key, eq);
		else
			argv_note(r, "%s: nothing that \"%.60s\" could set", s->where, s->text);
		free(copy);
	}
}

/* One of each is told without its number. */
static void wheres_shorten(struct argv_reader *r)
{
	static const char *const many[] = {"device", "drive",  "blockdev", "object", "numa",
					   "netdev", "global", "nic",	   "net",    "chardev"};

	for (size_t i = 0; i < r->nopts; i++) {
		char *hash = strstr(r->opts[i].where, " #");
		bool keep = false;

		for (size_t k = 0; k < sizeof(many) / sizeof(many[0]); k++)
			keep = keep || !strcmp(many[k], r->opts[i].name);
		if (!keep && hash)
			*hash = '\0';
	}
}

static void name_take(struct argv_reader *r)
{
	const struct argv_opt *o = NULL, *id = argv_next(r, "id", NULL);
	const char *guest = argv_merged(r, "name", "guest", &o), *value;
	struct vm *vm = r->vm;

	if (!guest && id)
		guest = id->text;
	if (guest && *guest) {
		free(vm->name);
		vm->name = xstrdup(guest);
	}
	value = argv_merged(r, "name", "debug-threads", &o);
	argv_set_flag(r, value, o ? o->where : "", "debug-threads");
	o = argv_next(r, "uuid", NULL);
	if (o)
		vm_set(vm, VM_ASKED, o->text, o->where, "uuid");
	for (o = NULL; (o = argv_next(r, "readconfig", o));) {
		r->incomplete = true;
		vm_set_flag(vm, VM_ASKED, true, o->where, "incomplete");
		argv_note(r,
			  "%s %.200s: what that file adds is not read; a device that seems to be "
			  "missing may be there",
			  o->where, o->text);
	}
	r->defaults = !argv_next(r, "nodefaults", NULL);
}

int vm_read_argv(char *const *argv, const char *from, struct vm **out, struct err *e)
{
	struct argv_reader r = {0};
	size_t n = 0;
	char *program;

	*out = NULL;
	if (!argv[0] || !argv_is_qemu(argv[0]))
		return err_input(e,
				 "%s: \"%.80s\" is not QEMU's name; a command line begins with "
				 "qemu-system-ARCH, qemu-kvm or kvm",
				 from, argv[0] ? argv[0] : "");
	while (argv[n])
		if (++n > ARGV_WORDS)
			return err_input(e, "%s: more than %d words on a command line", from,
					 ARGV_WORDS);
	program = vm_clean_text(argv[0], strlen(argv[0]));
	r.program = program;
	r.vm = vm_new("qemu", from);
	r.opts = xcalloc(n + 1, sizeof(*r.opts));
	words_take(&r, argv);
	wheres_shorten(&r);
	sets_apply(&r);
	name_take(&r);
	argv_machine(&r);
	argv_cpu(&r);
	argv_memory(&r);
	argv_disks(&r);
	argv_devices(&r);
	if (r.steps > ARGV_STEPS)
		argv_note(&r, "more devices and nodes than are looked up; the rest is left aside");
	for (size_t i = 0; i < r.nopts; i++)
		argv_opt_free(&r.opts[i]);
	free(r.opts);
	free(program);
	*out = r.vm;
	return 0;
}
