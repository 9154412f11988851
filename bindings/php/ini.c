#include "bindings/php/ini.h"

#include <php.h>
#include <php_ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/alicorn.h"

static const char *const settings[] = { "php_value", "php_admin_value" };

/* Whether the value means something without quotes: "E_ALL & ~E_NOTICE". */
static bool
is_expression(const char *value)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_&|^~!() ";

	return value[strspn(value, letters)] == '\0';
}

static void
write_value(FILE *out, const char *value)
{
	if (is_expression(value)) {
		fputs(value, out);
		return;
	}
	putc('"', out);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			putc('\\', out);
		putc(*value, out);
	}
	putc('"', out);
}

static void
write_line(FILE *out, const char *text)
{
	size_t len = strcspn(text, "=");

	fprintf(out, "%.*s=", (int)len, text);
	write_value(out, text[len] != '\0' ? text + len + 1 : "");
	putc('\n', out);
}

char *
ini_text(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const char *line;
		for (size_t k = 0; (line = al_option(settings[i], k)) != NULL; k++)
			write_line(out, line);
	}
	return fclose(out) == 0 ? text : NULL;
}

void
ini_lock(void)
{
	const char *line;

	for (size_t i = 0; (line = al_option("php_admin_value", i)) != NULL; i++) {
		size_t len = strcspn(line, "=");
		zend_ini_entry *entry =
			zend_hash_str_find_ptr(EG(ini_directives), line, len);
		if (entry != NULL)
			entry->modifiable = ZEND_INI_SYSTEM;
	}
}
