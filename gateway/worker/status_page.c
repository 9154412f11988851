/*
 * The status page: status_page.html, with how things are put into it, so that it shows
 * them at once, and also where there are no scripts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "gateway/status/render.h"
#include "gateway/worker/status_parts.h"

/* The file itself, as part of the program. */
__asm__(".section .rodata\n"
	"status_page_begin: .incbin \"gateway/worker/status_page.html\"\n"
	"status_page_end: .byte 0\n"
	".previous");

extern const char status_page_begin[], status_page_end[];

/* ---- Texts in HTML ---- */

static void
put_text(struct buffer *out, const char *text)
{
	static const struct {
		char character;
		const char *entity;
	} entities[] = {
		{ '<', "&lt;" },
		{ '>', "&gt;" },
		{ '&', "&amp;" },
		{ '"', "&quot;" },
	};

	for (; *text != '\0'; text++) {
		size_t i = 0, n = sizeof(entities) / sizeof(entities[0]);
		while (i < n && entities[i].character != *text)
			i++;
		if (i < n)
			buffer_add_str(out, entities[i].entity);
		else
			buffer_add_char(out, *text);
	}
}

/* JSON within a script: its strings hold no end of one. */
static void
put_json(struct buffer *out, const struct status *s)
{
	struct buffer json = { 0 };

	status_json(&json, s, NULL);
	for (size_t i = 0; i < json.len; i++) {
		if (json.ptr[i] == '<')
			buffer_add_str(out, "\\u003c");
		else
			buffer_add_char(out, json.ptr[i]);
	}
	out->failed |= json.failed;
	buffer_release(&json);
}

/* ---- Without scripts ---- */

static void
put_number(struct buffer *out, uint64_t number)
{
	buffer_addf(out, "<td class=\"n\">%" PRIu64 "</td>", number);
}

static void
put_milliseconds(struct buffer *out, uint64_t us)
{
	if (us == 0)
		buffer_add_str(out, "<td class=\"n\">–</td>");
	else
		buffer_addf(out, "<td class=\"n\">%.2f ms</td>", (double)us / 1e3);
}

static void
put_app(struct buffer *out, const struct status_app *a)
{
	buffer_add_str(out, "<tr><td>");
	put_text(out, a->name);
	buffer_addf(out, "</td><td class=\"n\">%u of %u</td>", a->workers[STATUS_BUSY],
		a->processes[BOARD_WORKERS].wanted);
	put_number(out, tally_responses(&a->tally));
	put_number(out, a->tally.responses[TALLY_5XX]);
	for (size_t i = 0; i < 4; i++)
		put_milliseconds(out,
			histogram_quantile(&a->tally.application, status_quantiles[i]));
	put_number(out, a->queue_depth);
	put_number(out, status_restarts(a));
	buffer_addf(out, "<td class=\"n\">%.1f MiB</td></tr>",
		(double)status_memory(a, false) / (1 << 20));
}

static void
put_slow(struct buffer *out, const struct slow_request *r)
{
	buffer_add_str(out, "<tr>");
	put_milliseconds(out, r->us);
	put_number(out, r->status);
	buffer_add_str(out, "<td class=\"line\">");
	put_text(out, r->line);
	buffer_add_str(out, "</td></tr>");
}

static void
put_table(struct buffer *out, const struct status *s)
{
	buffer_addf(out,
		"<header><h1>alicorn<small>%s</small></h1><span>%s, generation %u"
		"</span></header><section class=\"scroll\"><table><tr><th>Application"
		"<th class=\"n\">Busy<th class=\"n\">Requests<th class=\"n\">5xx"
		"<th class=\"n\">p50<th class=\"n\">p90<th class=\"n\">p99"
		"<th class=\"n\">p99.9<th class=\"n\">Queue<th class=\"n\">Restarts"
		"<th class=\"n\">Memory</tr>",
		s->program, status_state_names[s->state], s->generation);
	for (size_t i = 0; i < s->n_apps; i++)
		put_app(out, &s->apps[i]);
	buffer_add_str(out,
		"</table></section><section class=\"scroll\"><table><tr>"
		"<th class=\"n\">Took<th class=\"n\">Status<th>Slowest requests</tr>");
	for (size_t i = 0; i < s->n_apps; i++)
		for (size_t k = 0; k < s->apps[i].n_slow; k++)
			put_slow(out, &s->apps[i].slow[k]);
	buffer_add_str(out, "</table></section>");
}

/* ---- The page ---- */

/* For one page, so nobody can guess it. */
static void
make_nonce(char nonce[STATUS_NONCE])
{
	unsigned char bytes[(STATUS_NONCE - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		memset(bytes, 0, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
}

/* What stands for the mark at the beginning of the text; its length, or 0: none does.
 */
static size_t
fill_in(struct buffer *out, struct slice text, const struct status *s,
	const char *nonce)
{
	if (slice_starts(text, SLICE("@NONCE@")))
		return buffer_add_str(out, nonce), strlen("@NONCE@");
	if (slice_starts(text, SLICE("@NOW@")))
		return put_json(out, s), strlen("@NOW@");
	if (slice_starts(text, SLICE("@TABLE@")))
		return put_table(out, s), strlen("@TABLE@");
	return 0;
}

void
status_page(struct buffer *out, const struct status *s, char nonce[STATUS_NONCE])
{
	struct slice rest = slice_of(
		status_page_begin, (size_t)(status_page_end - status_page_begin));

	make_nonce(nonce);
	while (rest.len > 0) {
		const char *at = memchr(rest.ptr, '@', rest.len);
		size_t n = at != NULL ? (size_t)(at - rest.ptr) : rest.len;
		buffer_add(out, rest.ptr, n);
		slice_advance(&rest, n);
		n = rest.len > 0 ? fill_in(out, rest, s, nonce) : 0;
		if (n == 0 && rest.len > 0) {
			buffer_add_char(out, '@');
			n = 1;
		}
		slice_advance(&rest, n);
	}
}
