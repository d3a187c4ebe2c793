// SPDX-License-Identifier: GPL-2.0-or-later
/* `vbench bisect`. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/term.h"
#include "bisect/bisect.h"
#include "bisect/search.h"
#include "cmd/cmd.h"
#include "guest/assets.h"
#include "guest/machine.h"
#include "profile/profile.h"
#include "store/store.h"

#define STEP_STOP 128 /* git bisect run gives up at 128 and above, and takes 1 to 124 for "bad" */

static const char usage[] =
	"usage: vbench bisect PROFILE --good KEY=VALUE --bad KEY=VALUE [--step KEY=VALUE] [OPTION...]\n"
	"       vbench bisect PROFILE --builds FILE|FOLDER [--key guest.qemu] [OPTION...]\n"
	"Which build made it slower, or faster? The two ends are compared first; without a shown difference\n"
	"there is nothing to bisect. Then builds are held against the good end, interleaved block by block,\n"
	"until each is as good as the good end, or as bad as the bad one, with a stated error.\n\n"
	"With --step, one build: for `git bisect run`. Keep copies of the ends' builds, and write a script:\n\n"
	"    make -C build -j8 qemu-system-x86_64 || exit 125\n"
	"    exec vbench bisect quick --good guest.qemu=/ends/good --bad guest.qemu=/ends/bad \\\n"
	"        --step guest.qemu=build/qemu-system-x86_64\n\n"
	"The ends' check is recorded, so that later steps need not repeat it. With --builds it drives itself:\n"
	"a file of builds, one a line, or a folder of executables in the order of their version numbers; the\n"
	"good end is the first. Without either, the ends alone are checked.\n\n"
	"      --good KEY=VALUE   what the good end is; may be given several times, as may --bad, --step\n"
	"      --bad KEY=VALUE    what the bad end is\n"
	"      --step KEY=VALUE   the build to judge\n"
	"      --builds LIST      builds in their order\n"
	"      --key KEY          what they are values of (default guest.qemu)\n"
	"      --error P          chance of a wrong answer, the whole bisection (default 5%)\n"
	"      --among N          with --step: how many builds there are (default 256)\n"
	"      --end-pairs N      pairs that compare the ends (default 20)\n"
	"      --cap N            pairs of a step, at most (default 64)\n"
	"      --min-effect P     smallest difference of the ends that matters (default: the metric's)\n"
	"      --series NAME      \"workload, cell\" to go by (default: where the ends differ most clearly)\n"
	"      --again            compare the ends anew\n"
	"      --set KEY=VALUE    override a key of the profile\n"
	"      --wait             wait while another measuring run of this host goes on\n"
	"      --db FILE          database (default: in the data folder)\n"
	"  -q, --quiet            no progress\n"
	"  -h, --help             this text\n\n"
	"Exit status with --step: 0 good, 1 bad, 125 cannot be told (git skips the commit; also when the ends do\n"
	"not differ), 128 cannot go on (git stops). With --builds: 0 found, 3 only a set of builds is known,\n"
	"125 the ends do not differ. Ends alone: 0 they differ, 125 not.\n";

struct args {
	struct bisect_opts o;
	struct set_list good, bad, step;
	const char *profile, *builds, *key, *db;
	bool help;
};

static int fail(const struct err *e, bool step)
{
	int status = err_exit(e);

	return step && status != VB_INTERRUPTED ? STEP_STOP : status;
}

static int read_count(const char *option, const char *text, unsigned long min, unsigned long max,
		      unsigned long *out, struct err *e)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || *out < min || *out > max)
		return err_input(e, "%s: \"%.40s\" is no number from %lu to %lu", option, text, min,
				 max);
	return 0;
}

static int read_share(const char *option, const char *text, double max, double *out, struct err *e)
{
	char *end;
	double v = strtod(text, &end);

	if (end != text && *end == '%' && !end[1]) {
		v /= 100;
		end++;
	}
	if (end == text || *end || !(v > 0 && v <= max))
		return err_input(
			e,
			"%s: \"%.40s\": write a share above 0 and at most %g%%, for instance 5%%",
			option, text, 100 * max);
	*out = v;
	return 0;
}

static int take_number(int c, struct args *a, struct err *e)
{
	unsigned long n = 0;
	int rc;

	switch (c) {
	case 'A':
		rc = read_count("--among", optarg, 2, 1000000, &n, e);
		a->o.among = n;
		return rc;
	case 'E':
		rc = read_count("--end-pairs", optarg, 2, 1000, &n, e);
		a->o.end_pairs = (unsigned)n;
		return rc;
	case 'C':
		rc = read_count("--cap", optarg, WALD_MIN_PAIRS, 1000, &n, e);
		a->o.cap = (unsigned)n;
		return rc;
	case 'p':
		return read_share("--error", optarg, 0.4, &a->o.error, e);
	case 'm':
		return read_share("--min-effect", optarg, 1, &a->o.min_effect, e);
	default:
		return err_input(e, "see `vbench bisect --help`");
	}
}

static int take_option(int c, struct args *a, struct err *e)
{
	switch (c) {
	case 'g':
		set_list_add(&a->good, optarg);
		return 0;
	case 'b':
		set_list_add(&a->bad, optarg);
		return 0;
	case 't':
		set_list_add(&a->step, optarg);
		return 0;
	case 's':
		set_list_add(&a->o.arms.sets, optarg);
		return 0;
	case 'B':
		a->builds = optarg;
		return 0;
	case 'k':
		a->key = optarg;
		return 0;
	case 'S':
		a->o.series = optarg;
		return 0;
	case 'a':
		a->o.again = true;
		return 0;
	case 'w':
		a->o.arms.wait = true;
		return 0;
	case 'd':
		a->db = optarg;
		return 0;
	case 'q':
		a->o.arms.quiet = true;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	default:
		return take_number(c, a, e);
	}
}

static int check(const struct args *a, struct err *e)
{
	if (a->builds && (a->good.n || a->bad.n || a->step.n))
		return err_input(
			e, "--builds names the ends itself (its first and last build): it takes no "
			   "--good, --bad or --step");
	if (a->builds)
		return 0;
	if (!a->good.n || !a->bad.n)
		return err_input(e,
				 "both ends are needed: --good and --bad, for instance --good "
				 "guest.qemu=/ends/good --bad guest.qemu=/ends/bad; or --builds");
	return 0;
}

static int parse(int argc, char **argv, struct args *a, struct err *e)
{
	static const struct option options[] = {
		{"good", required_argument, NULL, 'g'},
		{"bad", required_argument, NULL, 'b'},
		{"step", required_argument, NULL, 't'},
		{"builds", required_argument, NULL, 'B'},
		{"key", required_argument, NULL, 'k'},
		{"error", required_argument, NULL, 'p'},
		{"among", required_argument, NULL, 'A'},
		{"end-pairs", required_argument, NULL, 'E'},
		{"cap", required_argument, NULL, 'C'},
		{"min-effect", required_argument, NULL, 'm'},
		{"series", required_argument, NULL, 'S'},
		{"again", no_argument, NULL, 'a'},
		{"set", required_argument, NULL, 's'},
		{"wait", no_argument, NULL, 'w'},
		{"db", required_argument, NULL, 'd'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c, rc = 0;

	optind = 0; /* glibc: begin anew */
	while ((c = getopt_long(argc, argv, "s:qh", options, NULL)) != -1 && !rc)
		rc = take_option(c, a, e);
	if (rc || a->help)
		return rc;
	if (optind >= argc)
		return err_input(e, "which profile? see `vbench bisect --help`");
	a->profile = argv[optind++];
	if (optind < argc)
		return err_input(e, "one profile at a time; \"%s\" is one too many", argv[optind]);
	return check(a, e);
}

static void say_ends(const struct args *a, const struct bisect_ends *x)
{
	char *delta, *lo, *hi;

	if (!x->shown) {
		fprintf(stderr, "vbench: nothing to bisect: %s%s\n", x->why,
			x->recorded ? " (recorded; --again measures anew)" : "");
		return;
	}
	if (a->o.arms.quiet)
		return;
	delta = bisect_harm_text(x, x->delta);
	lo = bisect_harm_text(x, x->lo);
	hi = bisect_harm_text(x, x->hi);
	fprintf(stderr,
		"ends%s: %s, %s, %s: the bad end is %s by %s [%s .. %s] in %u pairs (run %.8s)\n",
		x->recorded ? " (recorded)" : "", x->workload, x->label, x->metric,
		x->delta > 0 ? "worse" : "better", delta, lo, hi, x->pairs, x->uuid);
	free(delta);
	free(lo);
	free(hi);
}

static void say_step(const struct bisect_ends *ends, const struct bisect_step *s)
{
	char *harm = bisect_harm_text(ends, s->harm), *bad = bisect_harm_text(ends, ends->delta);

	printf("%s: %s to the good end in %u pairs (the bad end: %s)%s%s\n", wald_word(s->answer),
	       s->pairs ? harm : "unknown", s->pairs, bad, s->why ? "; " : "",
	       s->why ? s->why : "");
	free(harm);
	free(bad);
}

static int judge_step(const struct args *a, int *status, struct err *e)
{
	struct bisect_ends ends;
	struct bisect_step step;
	int rc = bisect_ends(&a->o, &a->good, &a->bad, &ends, e);

	if (rc)
		return rc;
	say_ends(a, &ends);
	*status = ends.shown ? VB_OK : BISECT_SKIP;
	if (ends.shown && a->step.n) {
		rc = bisect_step(&a->o, &ends, &a->good, &a->step, &step, e);
		if (!rc) {
			say_step(&ends, &step);
			*status = step.answer == WALD_GOOD  ? VB_OK
				  : step.answer == WALD_BAD ? VB_WORSE
							    : BISECT_SKIP;
		}
		bisect_step_free(&step);
	}
	bisect_ends_free(&ends);
	return rc;
}

static int search_builds(const struct args *a, const struct bisect_list *l, int *status,
			 struct err *e)
{
	struct bisect_ends ends = {0};
	size_t lo = 0, hi = 0;
	int rc = bisect_builds(&a->o, a->key, l, &ends, &lo, &hi, e);

	if (rc)
		return rc;
	say_ends(a, &ends);
	if (!ends.shown) {
		*status = BISECT_SKIP;
	} else if (hi == lo + 1) {
		printf("it came with build %zu of %zu: %s\n  the last good one is %s\n", hi + 1,
		       l->n, l->build[hi], l->build[lo]);
		*status = VB_OK;
	} else {
		printf("it came with one of %zu builds; those before the last could not be told:\n",
		       hi - lo);
		for (size_t i = lo + 1; i <= hi; i++)
			printf("  build %zu of %zu: %s\n", i + 1, l->n, l->build[i]);
		*status = VB_UNDECIDED;
	}
	bisect_ends_free(&ends);
	return 0;
}

/* A wrong key is no skipped commit: said before anything is measured. */
static int check_arms(const struct args *a, const char *path, const struct bisect_list *l,
		      struct err *e)
{
	struct set_list good = {0}, last = {0};
	struct profile *p = NULL;
	char *first = NULL, *end = NULL;
	int rc;

	for (size_t i = 0; i < a->good.n; i++)
		set_list_add(&good, a->good.text[i]);
	for (size_t i = 0; i < (a->step.n ? a->step.n : a->bad.n); i++)
		set_list_add(&last, a->step.n ? a->step.text[i] : a->bad.text[i]);
	if (l->n) {
		first = xasprintf("%s=%s", a->key, l->build[0]);
		end = xasprintf("%s=%s", a->key, l->build[l->n - 1]);
		set_list_add(&good, first);
		set_list_add(&last, end);
	}
	rc = profile_load_arms(path, a->o.arms.sets.text, a->o.arms.sets.n, good.text, good.n,
			       last.text, last.n, &p, e);
	profile_free(p);
	set_list_free(&good);
	set_list_free(&last);
	free(first);
	free(end);
	return rc;
}

static int execute(struct args *a, char **argv, int *status, struct err *e)
{
	char *share = assets_share_dir(), *path = profile_find(a->profile, share);
	char *words = argv_shell(argv), *command = xasprintf("vbench %s", words);
	char *db = a->db ? xstrdup(a->db) : store_default_db();
	struct bisect_list l = {0};
	int rc = 0;

	if (!path)
		rc = err_input(
			e,
			"no profile \"%s\": no such file, and no ready profile of that name; "
			"`vbench run` lists them",
			a->profile);
	if (!rc && a->builds)
		rc = bisect_list_read(a->builds, !strcmp(a->key, "guest.qemu"), &l, e);
	if (!rc)
		rc = check_arms(a, path, &l, e);
	if (!rc) {
		a->o.arms.profile = path;
		a->o.arms.db = db;
		a->o.arms.command = command;
		a->o.arms.stop_fd = term_stop_fd();
		rc = a->builds ? search_builds(a, &l, status, e) : judge_step(a, status, e);
		if (a->o.arms.stop_fd >= 0)
			close(a->o.arms.stop_fd);
	}
	bisect_list_free(&l);
	free(words);
	free(command);
	free(share);
	free(path);
	free(db);
	return rc;
}

/* --step, or a beginning of it that getopt takes, whether or not parsing came that far. */
static bool names_step(char **argv)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++) {
		size_t n = strcspn(*argv, "=");

		if (n >= strlen("--st") && n <= strlen("--step") && !strncmp(*argv, "--step", n))
			return true;
	}
	return false;
}

int cmd_bisect(int argc, char **argv)
{
	struct args a = {.key = "guest.qemu",
			 .o = {.end_pairs = BISECT_ENDS,
			       .cap = BISECT_CAP,
			       .error = BISECT_ERROR,
			       .min_effect = NAN,
			       .among = BISECT_AMONG}};
	struct err e = {0};
	int status = VB_OK, rc = parse(argc, argv, &a, &e);

	if (!rc && a.help) {
		fputs(usage, stdout);
	} else if (!rc) {
		a.o.say = a.o.arms.quiet ? NULL : stderr;
		rc = execute(&a, argv, &status, &e);
	}
	if (rc)
		status = fail(&e, names_step(argv));
	/* main() would make it a status that git takes for "bad" */
	if (names_step(argv) && (fflush(stdout) || ferror(stdout)))
		status = STEP_STOP;
	set_list_free(&a.good);
	set_list_free(&a.bad);
	set_list_free(&a.step);
	set_list_free(&a.o.arms.sets);
	return status;
}
