// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench help [COMMAND | profile | methods | rules | tuning | RULE]`. */
#include <stdio.h>
#include <string.h>
#include "base/err.h"
#include "cmd/cmd.h"
#include "profile/profile.h"
#include "reports/report.h"
#include "tuner/rule.h"

static void list(FILE *out)
{
	const struct cmd *c;

	fprintf(out,
		"usage: vbench COMMAND [OPTION...]\n\n"
		"  vbench run quick                 measure a ready profile and write its report\n"
		"  vbench run my.ini --set disk.bus=nvme\n"
		"  vbench run my.ini --dry-run      what would be done, with every command line\n"
		"  vbench audit libvirt:web         is that machine set up as documented practice says?\n"
		"  vbench doctor                    can this machine measure?\n\n");
	for (c = commands; c->name; c++)
		fprintf(out, "  %-8s %s\n", c->name, c->help);
	fprintf(out,
		"\nExit status: 0 fine; 1 worse, or a rule not followed; 2 bad input; 3 undecided; 4 could not measure; 130 interrupted.\n");
}

int cmd_help(int argc, char **argv)
{
	const struct cmd *c;

	if (argc < 2) {
		list(stdout);
		return VB_OK;
	}
	if (!strcmp(argv[1], "profile")) {
		profile_help(stdout);
		return VB_OK;
	}
	if (!strcmp(argv[1], "methods"))
		return report_methods(stdout) ? VB_BAD_INPUT : VB_OK;
	if (!strcmp(argv[1], "rules"))
		return cmd_audit(2, (char *[]){"audit", "--list", NULL});
	if (!strcmp(argv[1], "tuning"))
		return rule_document(stdout), VB_OK;
	if (rule_text(argv[1]))
		return rule_print(rule_text(argv[1]), stdout), VB_OK;
	for (c = commands; c->name; c++) {
		char *help[] = {argv[1], "--help", NULL};

		if (!strcmp(c->name, argv[1]) && c->run != cmd_help)
			return c->run(2, help);
	}
	fprintf(stderr,
		"vbench help: nothing is known about \"%s\"; try `vbench help`, `vbench help profile`, `vbench help methods`, `vbench help rules`, or a rule's id\n",
		argv[1]);
	return VB_BAD_INPUT;
}
