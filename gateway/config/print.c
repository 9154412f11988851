/*
 * --print-config: the configuration as a file that reads back the same.
 */
#include <stdint.h>
#include <string.h>

#include "gateway/config/routes.h"
#include "gateway/config/sources.h"

/* A text as libconfig reads it: quotes, backslash and control bytes are escaped. */
void
print_string(struct buffer *out, const char *text)
{
	buffer_add_char(out, '"');
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			buffer_addf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buffer_addf(out, "\\x%02x", c);
		else
			buffer_add_char(out, *text);
	}
	buffer_add_char(out, '"');
}

/* A comment must not end early, nor a line, whatever a file is called. */
static void
print_comment(struct buffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		buffer_add_char(out, (unsigned char)*text < 0x20 ? '?' : *text);
		if (text[0] == '*' && text[1] == '/')
			buffer_add_char(out, ' ');
	}
}

void
print_origin(struct buffer *out, const struct origin *origin)
{
	buffer_add_str(out, " /* ");
	print_comment(out, origin->source);
	if (origin->line > 0)
		buffer_addf(out, ":%u", origin->line);
	buffer_add_str(out, " */\n");
}

static void
print_list(struct buffer *out, const setting_list *list)
{
	buffer_add_str(out, "[");
	for (size_t i = 0; i < list->n; i++) {
		buffer_add_str(out, i > 0 ? ", " : " ");
		print_string(out, list->items[i]);
	}
	buffer_add_str(out, list->n > 0 ? " ]" : "]");
}

/* libconfig holds greater numbers only when an L says so. */
static void
print_number(struct buffer *out, intmax_t number)
{
	buffer_addf(out, "%jd%s", number, number > INT32_MAX ? "L" : "");
}

/* What stands behind the "="; false, and nothing, when the setting is unset. */
static bool
print_value(struct buffer *out, const struct setting *row, const void *settings)
{
	const void *member = (const char *)settings + row->offset;

	switch (row->type) {
	case SETTING_INT:
		print_number(out, *(const setting_int *)member);
		return true;
	case SETTING_SIZE:
		print_number(out, (intmax_t) * (const setting_size *)member);
		return true;
	case SETTING_BOOL:
		buffer_add_str(out, *(const setting_bool *)member ? "true" : "false");
		return true;
	case SETTING_STR:
	case SETTING_CHOICE:
	case SETTING_PATH:
		if (*(const setting_str *)member == NULL)
			return false;
		print_string(out, *(const setting_str *)member);
		return true;
	case SETTING_MODE:
		if (*(const setting_mode *)member == MODE_UNSET)
			return false;
		buffer_addf(out, "\"%04o\"", (unsigned)*(const setting_mode *)member);
		return true;
	case SETTING_LIST:
	case SETTING_MAP:
	case SETTING_PATHS:
	case SETTING_CIDRS:
		print_list(out, member);
		return true;
	}
	return false;
}

void
print_setting(struct buffer *out, struct section s, size_t row, const char *indent)
{
	const struct setting *setting = &s.table[row];
	size_t begin = out->len;

	buffer_addf(out, "%s%s = ", indent, setting->name);
	if (print_value(out, setting, s.settings)) {
		buffer_add_str(out, ";");
		print_origin(out, &s.origins[row]);
	} else {
		out->len = begin;
		buffer_addf(out, "%s/* %s is not set */\n", indent, setting->name);
	}
}

static void
print_section(struct buffer *out, struct section s, const char *indent)
{
	for (size_t row = 0; row < s.n; row++)
		print_setting(out, s, row, indent);
}

/* The addresses of a site stand with its listener. */
static void
print_app(struct buffer *out, const struct app_settings *app)
{
	struct app_settings said = *app;

	if (app->site != NULL)
		setting_clear(&app_table[APP_bind], &said);
	buffer_addf(out, "\t%s: {\n", app->name);
	print_section(out, app_section(&said, NULL), "\t\t");
	buffer_add_str(out, "\t};\n");
}

static void
print_apps(const struct config *c, struct buffer *out)
{
	size_t n = 0;

	while (n < c->n_apps && !target_is_front(&c->apps[n].what))
		n++;
	if (n == 0)
		return;
	buffer_add_str(out, "applications: {\n");
	for (size_t i = 0; i < n; i++)
		print_app(out, &c->apps[i]);
	buffer_add_str(out, "};\n");
}

void
config_print(const struct config *c, struct buffer *out)
{
	/* Sections are for reading and for writing; here they are read. */
	print_section(
		out, server_section((struct server_settings *)&c->server, NULL), "");
	print_logs(c, out);
	print_apps(c, out);
	print_routes(c, out);
	print_listeners(c, out);
}
