#include "gateway/config/hook.h"

#include <string.h>

#include "gateway/config/text.h"

static const char plug_in[] = "c:";

static const char *
parse_function(
	struct hook *h, const char *text, const char *folder, struct arena *memory)
{
	const char *colon = strrchr(text, ':');

	if (colon == NULL || colon == text || colon[1] == '\0')
		return "not of the form c:FILE.so:FUNCTION";
	const char *file = text_format(memory, "%.*s", (int)(colon - text), text);
	h->library = text_absolute(file, folder, memory);
	h->function = text_format(memory, "%s", colon + 1);
	return h->library != NULL ? NULL : "more than memory holds";
}

static const char *
parse_command(struct hook *h, const char *text, struct arena *memory)
{
	char **words;
	size_t n;
	const char *reason = text_split(text, &words, &n, memory);

	if (reason != NULL)
		return reason;
	if (n == 0)
		return "neither a command nor c:FILE.so:FUNCTION";
	if (*words[0] != '/' && strchr(words[0], '/') != NULL)
		return text_format(memory,
			"%s: a program is given by its absolute path, or by its name "
			"alone",
			words[0]);
	h->command = (const char *const *)words;
	return NULL;
}

const char *
hook_parse(struct hook *h, const char *text, const char *folder, struct arena *memory)
{
	const char *reason;

	*h = (struct hook){ .must_succeed = *text == '!' };
	const char *named = text + h->must_succeed;
	bool is_function = strncmp(named, plug_in, strlen(plug_in)) == 0;
	if (is_function)
		reason = parse_function(h, named + strlen(plug_in), folder, memory);
	else
		reason = parse_command(h, named, memory);
	if (reason != NULL)
		return reason;
	const char *mark = h->must_succeed ? "!" : "";
	h->text = is_function ? text_format(memory, "%s%s%s:%s", mark, plug_in,
					h->library, h->function)
			      : text_format(memory, "%s", text);
	return NULL;
}
