/*
 * logs = ( … ) of --print-config. Rows of log_config are in that file, those of
 * settings are printed as settings.
 */
#include <string.h>

#include "gateway/config/log_sink.h"
#include "gateway/config/sources.h"

static void
print_words(struct buffer *out, const char *name, const struct text_list *words)
{
	if (words->n == 0)
		return;
	buffer_addf(out, "\t\t%s = [ ", name);
	for (size_t i = 0; i < words->n; i++) {
		buffer_add_str(out, i > 0 ? ", " : "");
		print_string(out, words->items[i]);
	}
	buffer_add_str(out, " ];\n");
}

static void
print_text(struct buffer *out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	buffer_addf(out, "\t\t%s = ", name);
	print_string(out, text);
	buffer_add_str(out, ";\n");
}

static void
print_to(struct buffer *out, const struct log_sink *s)
{
	static const char *const kinds[] = {
		[SINK_FILE] = "",
		[SINK_STDOUT] = "stdout",
		[SINK_STDERR] = "stderr",
		[SINK_SYSLOG] = "syslog:",
		[SINK_JOURNAL] = "journal",
	};
	struct buffer text = { 0 };

	buffer_add_str(&text, kinds[s->kind]);
	buffer_add_str(&text, s->to != NULL ? s->to : "");
	buffer_add_char(&text, '\0');
	print_text(out, "to", text.ptr);
	buffer_release(&text);
}

static void
print_statuses(struct buffer *out, const struct sink_filter *f)
{
	for (size_t i = 0; i < f->n_statuses; i++) {
		const struct status_rule *rule = &f->statuses[i];
		buffer_addf(out, "%s%s", i == 0 ? "\t\tstatus = \"" : ",",
			rule->but ? "!" : "");
		if (rule->first == rule->last)
			buffer_addf(out, "%u", rule->first);
		else
			buffer_addf(out, "%uxx", rule->first / 100);
	}
	buffer_add_str(out, f->n_statuses > 0 ? "\";\n" : "");
}

static void
print_paths(struct buffer *out, const struct sink_filter *f)
{
	for (size_t i = 0; i < f->n_paths; i++) {
		const struct path_rule *rule = &f->paths[i];
		buffer_add_str(out, i == 0 ? "\t\tpath = [ " : ", ");
		print_string(out, rule->text - rule->any_before);
	}
	buffer_add_str(out, f->n_paths > 0 ? " ];\n" : "");
}

static void
print_filter(struct buffer *out, const struct sink_filter *f)
{
	print_statuses(out, f);
	print_paths(out, f);
	if (f->slower_than_us != 0)
		buffer_addf(out, "\t\tslower_than = %.3f;\n",
			(double)f->slower_than_us / 1e3);
	if (f->sample != SAMPLE_ALL)
		buffer_addf(
			out, "\t\tsample = %.9f;\n", (double)f->sample / SAMPLE_ALL);
}

static void
print_sink(struct buffer *out, const struct log_sink *s)
{
	static const char *const takes[] = {
		[SINK_LOG] = "errors",
		[SINK_ACCESS] = "access",
		[SINK_LOG | SINK_ACCESS] = "both",
	};

	buffer_add_str(out, "\t{");
	print_origin(out, &s->origin);
	print_to(out, s);
	print_text(out, "take", takes[s->takes]);
	if ((s->takes & SINK_LOG) != 0)
		print_text(out, "level", s->level);
	if (s->format == SINK_JSON)
		print_text(out, "format", "json");
	else
		print_text(out, "format", s->atoms);
	print_words(out, "apps", &s->apps);
	print_filter(out, &s->filter);
	print_text(out, "facility", s->facility);
	print_text(out, "tag", s->tag);
	if (s->rfc5424)
		buffer_add_str(out, "\t\trfc = 5424;\n");
	buffer_add_str(out, "\t}");
}

void
print_logs(const struct config *c, struct buffer *out)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_files; i++)
		for (size_t k = 0; k < c->files[i]->n_sinks; k++) {
			buffer_add_str(out, n++ == 0 ? "logs = (\n" : ",\n");
			print_sink(out, &c->files[i]->sinks[k]);
		}
	buffer_add_str(out, n > 0 ? "\n);\n" : "");
}
