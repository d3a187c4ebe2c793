// SPDX-License-Identifier: GPL-2.0-or-later
/* vbench: a table of sub-commands. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/err.h"
#include "cmd/cmd.h"

const struct cmd commands[] = {
	{"run", cmd_run, "measure a profile on fresh guests"},
	{"report", cmd_report, "the report of a run: HTML, text or JSON"},
	{"compare", cmd_compare, "two stored runs or labels: what differs, and what was measured"},
	{"history", cmd_history, "the nights of a profile: when it changed, and among which builds"},
	{"bisect", cmd_bisect, "which build made it slower: a step of git bisect run, or a list of builds"},
	{"gate", cmd_gate, "tonight's build against a kept reference build, for nightly CI"},
	{"tune", cmd_tune, "search for better settings, prove them, and say what each is worth"},
	{"plan", cmd_plan, "CPUs and memory for guests: where on this machine, why, and at what price"},
	{"apply", cmd_apply, "a plan to a running guest, settings to the host; verified, and written down"},
	{"revert", cmd_revert, "take back what apply did"},
	{"runs", cmd_runs, "list, export and import runs"},
	{"host", cmd_host, "what this machine is and how it is set up"},
	{"slim", cmd_slim, "make a disk image small: free what its file systems do not use"},
	{"audit", cmd_audit, "a virtual machine and its host against documented practice, with remedies"},
	{"profile", cmd_profile, "a profile of an existing virtual machine, to be measured on scratch images"},
	{"doctor", cmd_doctor, "whether this machine can measure, and what to mend"},
	{"help", cmd_help, "this list, a command's options, or `help profile`: every key"},
	{NULL, NULL, NULL},
};

/* A closed 0, 1 or 2 would be taken by the next file that is opened, and written to as if it were
 * the terminal. */
static void fill_standard_fds(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd > STDERR_FILENO)
		close(fd);
}

static int dispatch(int argc, char **argv)
{
	const struct cmd *c;

	if (argc < 2)
		return cmd_help(0, NULL), VB_BAD_INPUT;
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cmd_help(0, NULL);
	if (!strcmp(argv[1], "--version"))
		return printf("vbench %s\n", VB_VERSION) < 0 ? VB_NOT_MEASURED : VB_OK;
	for (c = commands; c->name; c++)
		if (!strcmp(c->name, argv[1]))
			return c->run(argc - 1, argv + 1);
	fprintf(stderr, "vbench: no command \"%s\"; `vbench help` lists them\n", argv[1]);
	return VB_BAD_INPUT;
}

int main(int argc, char **argv)
{
	int status;

	fill_standard_fds();
	status = dispatch(argc, argv);
	/* a result that did not arrive is no result */
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "vbench: standard output: %s\n", strerror(errno));
		return status ? status : VB_NOT_MEASURED;
	}
	return status;
}
