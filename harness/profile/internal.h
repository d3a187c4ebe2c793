/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share among themselves. */
#ifndef VB_PROFILE_INTERNAL_H
#define VB_PROFILE_INTERNAL_H

#include "profile/profile.h"

/* Bounds of a profile: far over any sensible one, far under what could hurt. */
#define INI_MAX_LINE (64u << 10)
#define INI_MAX_FILE (1u << 20)
#define PROFILE_MAX_CELLS 4096
#define PROFILE_MAX_WORKLOADS 64
#define PROFILE_MAX_RUNGS 64

/* ini.c: text -> sections with lines. Syntax only, no knowledge of keys. */
struct ini_entry {
	unsigned line;
	char *key, *value;
};

struct ini_section {
	unsigned line;
	char *name;
	struct ini_entry *entries; /* by line */
	size_t n;
};

struct ini {
	struct ini_section *sections; /* by line */
	size_t n;
};

int ini_read(const char *text, size_t len, const char *path, struct ini *out, struct err *e);
void ini_free(struct ini *ini);

/* UTF-8 of a sensible length without control characters? place is what the error begins with. */
int text_plain(const char *s, size_t n, const char *place, struct err *e);

/* value.c: one value of one key. where is what errors begin with ("x.ini:12: ring"). */
int value_parse(const struct key_row *row, const char *text, const char *where, char **canonical,
		struct err *e);

/* The same for a whole right-hand side, which may be a list if the row is an axis. row NULL: a
 * pass-through. */
int value_list(const struct key_row *row, bool axis, const char *text, const char *where,
	       char ***values, size_t *n, struct err *e);

/* How a bound of the row (min, max, step) is written; into buf. */
const char *bound_text(const struct key_row *row, uint64_t v, char *buf, size_t size);

/*
 * percent.c: shares, in millionths. "5%" or "0.05" with at most four and six decimals: -EINVAL for
 * what is none, -ERANGE from a thousand on. canonical "0.05" (new) and "5%" (into buf).
 */
int percent_parse(const char *text, uint64_t *millionths);
char *percent_canonical(uint64_t millionths);
const char *percent_text(uint64_t millionths, char *buf, size_t size);

/* The row's default in canonical form, new; NULL without one. */
char *value_default(const struct key_row *row);

/* Of a comma-separated list (or a NULL-terminated array), the word nearest to text, or NULL when
 * none is near; into buf. */
const char *nearest_in_list(const char *text, const char *list, char *buf, size_t size);
const char *nearest_in_array(const char *text, const char *const *words);

/* Text from a file, cut and with control characters masked, for a message. */
const char *show(const char *text, char buf[64]);

/* What has been said about one key, in the order in which it was said. */
struct setting {
	const struct key_row *row; /* NULL: pass-through */
	char *key;		   /* "disk.bus", "disk.blockdev.discard" */
	char *where;
	char **values; /* canonical */
	size_t n;
};

struct settings {
	struct setting *s;
	size_t n;
};

/* Keeps one more; what was said before of the same key is replaced in its place. Takes values. */
void settings_say(struct settings *all, const struct key_row *row, const char *key,
		  const char *where, char **values, size_t n);
void settings_free(struct settings *all);

/* arms.c: what two arms say besides; [0] base, [1] change. text is borrowed, said is the caller's.
 */
struct arms {
	const char *const *text[2];
	size_t n[2];
	struct settings said[2];
};

/* Reads what the arms say, and makes guest.arm the first axis of said. */
int arms_take(struct profile *p, struct arms *a, struct settings *said, struct err *e);
/*
 * After the expansion: pairs the cells and leaves out those that have no partner. of_combo[i] is
 * the cell of combination i (SIZE_MAX: none), the half combinations of "base" first.
 */
int arms_pair(struct profile *p, const struct arms *a, const size_t *of_combo, size_t half,
	      struct err *e);

/* expand.c: what [guest] and [disk] say -> axes, cells, skipped. arms NULL: none. */
int profile_expand(struct profile *p, const struct settings *said, const struct arms *arms,
		   struct err *e);
/* Takes what. */
void profile_add_skipped(struct profile *p, char *what, const char *reason, bool folded);
/* Tells of keys that were written down but mean nothing in any cell. */
void profile_list_idle(struct profile *p, const struct settings *said);

/* rung.c: [rung NAME] sections. Adds one: its settings are in *said at the same index. */
int rung_add(struct profile *p, struct settings **said, const char *name, const char *place,
	     unsigned line, struct err *e);
/* One KEY = VALUE of a rung: over, adds or SECTION.KEY with a plain value. */
int rung_take_key(struct profile *p, size_t rung, struct settings *said, const char *key,
		  const char *text, const char *place, const char *where, struct err *e);
/* In the place of profile_expand: one cell a rung. said: of [guest] and [disk]; own: of each rung.
 */
int ladder_expand(struct profile *p, const struct settings *said, const struct settings *own,
		  struct err *e);

/* cell.c: a cell is started with the defaults, told settings, and settled: keys that mean nothing
 * in it lose their value. */
void cell_start(struct cell *c);
void cell_put(struct cell *c, const struct setting *s, size_t which);
void cell_settle(struct cell *c);
void cell_clear(struct cell *c);
/* NULL, or why it cannot be. */
const char *cell_conflict(const struct cell *c);
/* What must differ between two cells; new. */
char *cell_identity(const struct cell *c);
/* Gives it id and index and moves it into the profile. */
void profile_take_cell(struct profile *p, struct cell *c);

/* Frees the texts and the array. */
void text_list_free(char **list, size_t n);
/* Appends to a new text, with gap between; *text may be NULL. */
void text_append(char **text, const char *gap, const char *more);

/* Hash of sorted "key=value" lines, 16 hex digits. */
void id_hash(char **lines, size_t n, char id[17]);
/* The lines that make a cell / workload what it is; the array and its lines are the caller's. */
char **cell_lines(const struct cell *c, size_t *n);
char **workload_lines(const struct workload *w, size_t *n);

/* profile.c: the row of that name in a section; NULL. */
const struct key_row *key_find(enum section sec, const char *name);
/* Says that there is no such key in a section, and what may have been meant. */
int key_unknown(enum section sec, const char *key, const char *place, struct err *e);
/* A section's or workload's or rung's name: at most 40 letters, digits and _.+-. */
int name_check(const char *kind, const char *name, const char *place, struct err *e);

/* check.c: what only shows when cells and workloads are held against each other. */
int workload_check(const struct workload *w, const char *where, struct err *e);
/* Keys of [run] against each other and against the cells. */
int run_check(const struct profile *p, struct err *e);
/* May add notes to the skipped. */
int profile_check(struct profile *p, char *const *where, struct err *e);

/* only.c: takes the other cells away, and values of axes, pairs and rungs with them. */
void profile_keep(struct profile *p, const bool *keep);
/* run.only. Leaves the cells that it names; where: of the key, for errors. */
int profile_only(struct profile *p, const char *where, struct err *e);

/* listed.c: frees p->listed. */
void profile_listed_free(struct profile *p);

/* extra.c: NULL, or why a pass-through key is not taken. */
const char *extra_refused(enum section sec, const char *key, const char *value);
/* What of a workload's fio.KEY is not taken on the host. */
int extra_check_host(const struct workload *w, const struct cell *c, const char *where,
		     struct err *e);

#endif
