/*
 * The hooks of the server.
 */
#include <string.h>

#include "gateway/config/sources.h"

/* Those that something follows which can be called off. */
static const enum server_setting heeded[] = { SERVER_on_starting, SERVER_on_reload,
	SERVER_post_fork, SERVER_pre_exec };

static bool
is_heeded(size_t row)
{
	for (size_t i = 0; i < sizeof heeded / sizeof heeded[0]; i++)
		if (heeded[i] == row)
			return true;
	return false;
}

/* NULL, or what is wrong. The folder is that of the file that it stands in. */
static const char *
check_hook(struct load *l, size_t row, const struct origin *origin, const char *text,
	struct hook *hook)
{
	const char *folder = load_folder(l, origin);
	const char *reason = folder == NULL
		? "out of memory"
		: hook_parse(hook, text, folder, &l->config->memory);

	if (reason == NULL && row == SERVER_on_message && hook->command != NULL)
		return "a message is given to a function, c:FILE.so:FUNCTION, not to a "
		       "command";
	if (reason == NULL && hook->must_succeed && !is_heeded(row))
		return "nothing that follows could be called off, so no \"!\" has a "
		       "meaning";
	return reason;
}

void
check_hooks(struct load *l, struct server_settings *server)
{
	for (size_t i = 0; i < SERVER_HOOKS; i++) {
		size_t row = SERVER_on_starting + i;
		const struct setting *setting = &server_table[row];
		const struct origin *origin = &server->origins[row];
		setting_str *text = (void *)((char *)server + setting->offset);
		struct hook hook = { 0 };

		if (*text == NULL)
			continue;
		const char *reason = check_hook(l, row, origin, *text, &hook);
		if (reason != NULL)
			load_fault(l, origin, "%s: \"%s\": %s", setting->name, *text,
				reason);
		/* What a file says stays as it was read. */
		if (reason != NULL || server != &l->config->server)
			continue;
		server->hooks[i] = hook;
		*text = hook.text;
	}
}
