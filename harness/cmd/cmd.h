/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sub-commands: each takes its own argv (argv[0] is its name) and returns an exit status
 * (base/err.h). */
#ifndef VB_CMD_CMD_H
#define VB_CMD_CMD_H

int cmd_run(int argc, char **argv);
int cmd_runs(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_history(int argc, char **argv);
int cmd_host(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_slim(int argc, char **argv);
int cmd_bisect(int argc, char **argv);
int cmd_gate(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_profile(int argc, char **argv);
int cmd_apply(int argc, char **argv);
int cmd_revert(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_tune(int argc, char **argv);
int cmd_help(int argc, char **argv);

struct cmd {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

/* Ends with a NULL name. */
extern const struct cmd commands[];

#endif
