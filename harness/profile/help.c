/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vbench help profile`, from the table of keys. */
#include <string.h>
#include "profile/internal.h"

static const char *const section_help[SEC_COUNT] = {
	[SEC_PROFILE] = "what the profile is about",
	[SEC_HOST] = "how this machine is treated",
	[SEC_GUEST] = "the virtual machine; a list makes an axis",
	[SEC_DISK] = "the disk under test; a list makes an axis",
	[SEC_KNOB] =
		"host-wide settings, changed with --consent host only and put back afterwards; a list makes an axis",
	[SEC_WORKLOAD] = "what is driven, one section for each workload",
	[SEC_RUN] = "how it is measured",
	[SEC_GATE] = "how `vbench gate` judges a night",
};

static void print_values(FILE *out, const struct key_row *row)
{
	static const char *const kinds[] = {
		[KT_STRING] = "TEXT",  [KT_PATH] = "PATH",	 [KT_ENUM] = "",
		[KT_BOOL] = "on, off", [KT_INT] = "NUMBER",	 [KT_SIZE] = "SIZE",
		[KT_TIME] = "TIME",    [KT_PERCENT] = "PERCENT", [KT_RATIO] = "RATIO",
	};
	bool number = row->type == KT_INT || row->type == KT_SIZE || row->type == KT_TIME ||
		      row->type == KT_PERCENT || row->type == KT_RATIO;
	char lo[32], hi[32];

	for (const char *c = row->values ? row->values : ""; *c; c++)
		fprintf(out, *c == ',' ? ", " : "%c", *c);
	fprintf(out, "%s", kinds[row->type]);
	bound_text(row, row->min, lo, sizeof(lo));
	bound_text(row, row->max, hi, sizeof(hi));
	if (number && row->max)
		fprintf(out, " from %s to %s", lo, hi);
	else if (number && row->min)
		fprintf(out, " from %s", lo);
	if (number && row->step > 1) {
		bound_text(row, row->step, lo, sizeof(lo));
		fprintf(out, " in steps of %s", lo);
	}
	for (const char *w = row->words; w && *w;
	     w += strcspn(w, ",") + (w[strcspn(w, ",")] == ','))
		fprintf(out, ", or %.*s", (int)strcspn(w, ","), w);
}

static void print_aliases(FILE *out, const char *aliases)
{
	fprintf(out, "\n        also: ");
	for (; *aliases; aliases++)
		fprintf(out, *aliases == ',' ? ", " : *aliases == '=' ? " for " : "%c", *aliases);
}

/* "a,b=why|c=why" as "not a, b: why" */
static void print_refused(FILE *out, const char *refused)
{
	bool name = true;

	fprintf(out, "\n        not ");
	for (; *refused; refused++) {
		if (*refused == '|')
			fprintf(out, "\n        not ");
		else if (*refused == '=' && name)
			fprintf(out, ": ");
		else
			fprintf(out, name && *refused == ',' ? ", " : "%c", *refused);
		name = *refused == '|' || (name && *refused != '=');
	}
}

static void print_row(FILE *out, const struct key_row *row)
{
	fprintf(out, "    %s = ", row->name);
	print_values(out, row);
	if (row->def)
		fprintf(out, " (default %s)", row->def);
	fprintf(out, "\n        %s", row->help);
	if (row->aliases)
		print_aliases(out, row->aliases);
	if (row->refused)
		print_refused(out, row->refused);
	if (row->axis)
		fprintf(out, "\n        may be a list");
	fputc('\n', out);
}

void profile_help(FILE *out)
{
	fprintf(out,
		"A profile is an INI file: sections, KEY = VALUE, and comments on lines of their own that begin\n"
		"with # or ;. Sizes take k, M, G, T (powers of 1024), times ns, us, ms, s, m, h. A key that may be\n"
		"a list takes values separated by commas, and the cells are all their combinations; those that\n"
		"make no sense are left out and listed with the reason.\n");
	for (int s = 0; s < SEC_COUNT; s++) {
		fprintf(out, "\n[%s%s]  %s\n", section_names[s], s == SEC_WORKLOAD ? " NAME" : "",
			section_help[s]);
		for (size_t i = 0; i < K_COUNT; i++)
			if (profile_keys[i].section == (enum section)s)
				print_row(out, &profile_keys[i]);
		if (s == SEC_DISK)
			fprintf(out,
				"    blockdev.KEY = VALUE\n"
				"        any other option of QEMU's -blockdev, for the image's format node\n"
				"        may be a list\n"
				"\n[rung NAME]  one step of a ladder: a cell of its own, made of the values above\n"
				"    over = RUNG\n"
				"        the rung, further up in the file, that this one stands on; none: on the ground\n"
				"    adds = TEXT\n"
				"        the one layer that it has more, in words\n"
				"    guest.KEY = VALUE, disk.KEY = VALUE\n"
				"        what differs in this rung, each key in full; a profile with rungs has no lists\n");
		if (s == SEC_WORKLOAD)
			fprintf(out, "    fio.KEY = VALUE\n"
				     "        any other option of fio\n");
	}
	fprintf(out,
		"\nFrom the command line: --set disk.bus=nvme, --set run.blocks=10, --set workload.bs=8k (every\n"
		"workload), --set \"workload NAME.bs=8k\" (one), --set \"rung NAME.disk.ring=packed\".\n");
}
