// SPDX-License-Identifier: GPL-2.0-or-later
/* What the reports ask about the two arms of a run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "reports/page.h"

char *vs_arm(char *const *sets, size_t n)
{
	char *s = NULL, *more;

	for (size_t i = 0; i < n; i++) {
		more = xasprintf("%s%s%s", s ? s : "", s ? " " : "", sets[i] ? sets[i] : "");
		free(s);
		s = more;
	}
	return s ? s : xstrdup("the profile as it is");
}

char *vs_ratio(const struct model_vs *x, enum num_style s, char *buf, size_t size)
{
	if (x->too_many_failed)
		snprintf(buf, size, "more than 5 %% of its trials failed");
	else if (!x->metric || !isfinite(x->ratio.mid))
		snprintf(buf, size, "n/a");
	else
		num_ratio(x->metric, &x->ratio, s, buf, size);
	return buf;
}

enum mark vs_mark(const struct model_vs *x)
{
	return x->too_many_failed ? MARK_FAILED : verdict_mark(x->verdict);
}

/* An interval beside equality and within what matters: both are said. */
static bool differs_a_little(const struct model_vs *x)
{
	double equal = x->metric && x->metric->scale == SCALE_DIFFERENCE ? 0 : 1;

	return x->verdict == VERDICT_SAME && (x->ratio.lo > equal || x->ratio.hi < equal);
}

char *vs_word(const struct model *m, const struct model_vs *x, bool brief, char *buf, size_t size)
{
	char share[32];

	if (x->too_many_failed)
		snprintf(buf, size, "%s", mark_word(MARK_FAILED));
	else if (differs_a_little(x) && x->metric->scale != SCALE_DIFFERENCE &&
		 x->workload < m->nworkloads)
		snprintf(buf, size,
			 brief ? "same, below %s %%" : "same: differs, but by less than %s %%",
			 num_3(m->workloads[x->workload].min_effect * 100, share, sizeof(share)));
	else
		verdict_text(x->verdict, &x->more, buf, size);
	return buf;
}

const char *vs_workload(const struct model *m, const struct model_vs *x)
{
	return x->workload < m->nworkloads && m->workloads[x->workload].name
		       ? m->workloads[x->workload].name
		       : "(no name)";
}

const char *vs_label(const struct model_vs *x)
{
	return x->label ? x->label : "(no name)";
}
