#include "gateway/worker/options.h"

#include <pthread.h>
#include <string.h>

#include "gateway/alicorn.h"
#include "gateway/worker/self.h"

static const struct app_settings *chosen; /* NULL: the worker's own */

/* The texts of the options that were asked for: made once, kept as long as the process.
 */
struct option {
	const char **values; /* as many as the setting has, then NULL */
	size_t n;
};

static struct option options[APP_SETTINGS];
static struct arena option_texts;
static pthread_mutex_t options_lock = PTHREAD_MUTEX_INITIALIZER;

static bool
make_option(const struct setting *row, struct option *option)
{
	const struct app_settings *s = chosen != NULL ? chosen : self.settings;
	struct buffer text = { 0 };
	size_t n = 0;

	while (setting_text(row, s, n, &text))
		n++;
	option->values = arena_alloc(&option_texts, (n + 1) * sizeof(*option->values));
	for (size_t i = 0; option->values != NULL && i < n; i++) {
		buffer_reset(&text);
		setting_text(row, s, i, &text);
		option->values[i] = arena_strz(&option_texts, buffer_slice(&text));
	}
	option->n = n;
	buffer_release(&text);
	return option->values != NULL;
}

const char *
al_option(const char *name, size_t i)
{
	int at = setting_find(app_table, APP_SETTINGS, name);

	if (at < 0)
		return NULL;
	pthread_mutex_lock(&options_lock);
	bool made =
		options[at].values != NULL || make_option(&app_table[at], &options[at]);
	pthread_mutex_unlock(&options_lock);
	return made && i < options[at].n ? options[at].values[i] : NULL;
}

void
options_use(const struct app_settings *other)
{
	chosen = other;
	memset(options, 0, sizeof(options));
}
