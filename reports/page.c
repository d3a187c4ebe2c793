// SPDX-License-Identifier: GPL-2.0-or-later
/* The style sheet's hash: it is the only style that a page's policy admits. */
#include <sha256.h>
#include "reports/page.h"

const char *page_css_hash(char text[64])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char digest[SHA256_DIGEST_LENGTH + 1] = {0}; /* 32 bytes and a zero: 11 times 3 */
	SHA2_CTX ctx;
	char *p = text;

	SHA256Init(&ctx);
	SHA256Update(&ctx, embed_page_css, embed_page_css_len);
	SHA256Final(digest, &ctx);
	for (size_t i = 0; i < sizeof(digest); i += 3) {
		unsigned v = (unsigned)digest[i] << 16 | digest[i + 1] << 8 | digest[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			*p++ = digits[v >> shift & 63];
	}
	p[-1] = '='; /* the zero that was added carries nothing */
	*p = 0;
	return text;
}
