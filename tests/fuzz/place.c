// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzzer of plans: what is read as one is written again, read once more and told in all tongues. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "place/place.h"
#include "vm/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *text_of(const struct place_plan *p)
{
	json_t *doc = place_json(p);
	char *text = doc ? json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	if (!text)
		abort();
	json_decref(doc);
	return text;
}

static void write_all(const struct place_plan *p, FILE *out)
{
	place_text(p, out);
	for (size_t i = 0; i < p->nguests; i++) {
		struct vm *vm = vm_new(p->guests[i].name, "plan");

		place_into_vm(&p->guests[i], vm);
		for (int f = 0; f < VM_FORMATS; f++)
			vm_write(out, (enum vm_format)f, vm, NULL);
		vm_free(vm);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct place_plan plan, back;
	struct err e = {0};
	char *text, *again, *words = NULL;
	size_t len;
	FILE *f;

	if (size > 1 << 16)
		return 0;
	if (place_parse((const char *)data, size, "fuzz", &plan, &e)) {
		/* nothing is left, and it was said why */
		if (!*e.text || plan.guests || plan.nguests)
			abort();
		return 0;
	}
	text = text_of(&plan);
	if (place_parse(text, strlen(text), "again", &back, &e))
		abort();
	again = text_of(&back);
	if (strcmp(text, again))
		abort();
	f = open_memstream(&words, &len);
	if (!f)
		abort();
	write_all(&plan, f);
	fclose(f);
	free(words);
	free(text);
	free(again);
	place_plan_free(&plan);
	place_plan_free(&back);
	return 0;
}
